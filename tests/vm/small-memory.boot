# Thirty-two megabytes are enough for a shell on four CPUs.
cpus 4
memory 32M
run /bin/busybox sh -c 'echo small; ls / | wc -l >/dev/null'
stdout small
