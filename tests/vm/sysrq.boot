# A machine tells on demand what its CPUs and threads do, and who waits for what.
script
    sleep 1000 &
    until grep -q '(sleep) S' /proc/$!/stat; do :; done
    echo l > /proc/sysrq-trigger
    echo t > /proc/sysrq-trigger
    echo w > /proc/sysrq-trigger
    kill %1
    echo told
stdout told
log all CPUs, asked by cpu
log report: CPU 0 has
log (watchdog) waits
log last call clock_nanosleep waits 0 s for an interruption at osl/src/syscall/time.rs
