"""What stands between maxi and the machine: files, locks, the store, ranks, secrets, versions."""
