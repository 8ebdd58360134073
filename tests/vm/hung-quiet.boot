# Waits that are nobody's fault do not fill the log: a parent for its child, a stopped child, a reader of an idle pipe, a maker by vfork.
append hung=1
script
    sleep 4 | cat &
    sh -c 'kill -STOP $$' & 
    stopped=$!
    sleep 3
    grep -c "at rest" /proc/hung | grep -qv ^0 && echo listed
    kill -CONT $stopped
    wait
stdout listed
not-in-log hung:
