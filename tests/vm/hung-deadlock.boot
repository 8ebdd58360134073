# Two threads that wait for each other's lock are named within seconds: threads, locks, places, and that it is a deadlock.
append debug=deadlock hung=1
script
    sleep 3
    grep -c deadlock /proc/hung
    dmesg | grep -q "left-handed.*waits . s for DirectoryParent at kernel/src/debug.rs" && echo told
stdout 2
    told
log (left-handed) waits
log , held by thread
log (right-handed) waits
log which is a deadlock
