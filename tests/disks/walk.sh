# All that can be seen of a tree, in the order of its names.
find . ! -name lost+found | sort > /tmp/names
echo "names: $(wc -l < /tmp/names)"
tr '\n' '\0' < /tmp/names | xargs -0 stat -c '%n %f %u %g' | sha256sum
find . ! -type d ! -path './many/*' | sort | tr '\n' '\0' | xargs -0 stat -c '%n %f %s %h %u %g'
find . -type f -size -20000 | sort | tr '\n' '\0' | xargs -0 sha256sum > /tmp/sums
sha256sum < /tmp/sums
grep -v /many/ /tmp/sums
for link in dangling link long_link longest_short_link shortest_long_link; do readlink $link; done
tail -c 12 far && echo
tail -c +4499990000 far | sha256sum
dd if=far bs=1M skip=2000 count=1 2>/dev/null | sha256sum
cat link deep/deeper/deepest/file few/same
[ few/a -ef linked ] && echo 'one file'
ls few/nothing 2>&1
cd many && ls | sha256sum
cat a_name_that_is_long_enough_for_a_tree_of_names_1234
