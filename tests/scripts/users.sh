# What an unprivileged user may not do.
top=$(mktemp -d /tmp/users.XXXXXX); chmod 755 "$top"; cd "$top"
echo secret >secret; chmod 600 secret; echo open >open; chmod 644 open; mkdir drop; chmod 1777 drop; echo mine >drop/mine
id -u
as() { su -s /bin/sh nobody -c "$1" 2>/dev/null; }
as 'id -u; id -g'
as "cat $top/secret" || echo "may not read"
as "cat $top/open"
as "echo x >$top/open" || echo "may not write"
as "rm -f $top/drop/mine" || echo "may not remove another's file from a sticky folder"
as "echo y >$top/drop/own && rm $top/drop/own && echo may remove its own"
as "chown 65534 $top/open" || echo "may not give away"
as "kill -0 $$" || echo "may not signal"
cd /; rm -r "$top"
