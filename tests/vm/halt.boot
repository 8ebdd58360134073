# A halt stops every CPU, whatever runs there, and the tool ends with success.
cpus 4
script
    i=0; while [ $i -lt 8 ]; do while :; do :; done & i=$((i + 1)); done
    halt -f
log halts the machine
status 0
