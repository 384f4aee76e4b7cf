"""`make rehearse`: the README's three commands at full size, offline, with random weights where the hub's would be."""
