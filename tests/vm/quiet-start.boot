# What an ordinary program asks for at its start is there, or is refused without a word in the log.
cpus 1
run /bin/busybox sh -c 'true | cat; sleep 0'
not-in-log is not there
