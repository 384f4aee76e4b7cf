"""Studies: the tables of the paper on any videos, as variants of one recipe that share whatever does not differ."""
