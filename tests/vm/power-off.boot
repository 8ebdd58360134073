# A program that may switch the machine off ends it at once, with success.
cpus 1 4
script
    sleep 1000 &
    echo before
    poweroff -f
    echo never
stdout before
log poweroff switches the machine off
status 0
