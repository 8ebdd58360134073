# An archive with damage in its headers ends in a word, not in silence.
cpus 2
root damaged 997
run /bin/busybox true
refused
