# A thread that nobody woke is named within seconds, with what it waits for and where; one that waits with a timer is not.
append debug=lost-wake hung=1
script
    sleep 3
    cat /proc/hung | grep forgotten | sed 's/.*waits/waits/; s/ [0-9]* s / N s /; s/:[0-9]*$//'
stdout waits N s for work that is done already at kernel/src/debug.rs
log (forgotten) waits
log work that is done already at kernel/src/debug.rs
not-in-log (forgetful) waits
not-in-log busybox
