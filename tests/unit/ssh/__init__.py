"""Unit tests of nshell/ssh and of the terminal."""
