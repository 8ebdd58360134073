# Programs that keep every CPU busy, and CPUs that rest, are no lock-ups, however short the patience.
append lockup=1
script
    for cpu in 1 2 3; do { timeout 4 sh -c 'while :; do :; done'; } & done
    wait
    sleep 3
    dmesg | grep -c lock-up
    echo lived
stdout 0
    lived
not-in-log lock-up
