# Who is not root cannot switch the machine off.
cpus 1
script
    su nobody -s /bin/sh -c 'poweroff -f' 2>/dev/null || echo refused
    exit 5
stdout refused
status 5
