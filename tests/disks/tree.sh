# What the images of the tests hold: a file of every kind and size that a disk keeps in its own way.
set -e
mkdir -p work && cd work
umask 022

# So many bytes that look like nothing, the same each time.
bytes() { awk -v count="$1" -v seed="$2" 'BEGIN { for (i = 0; i < count / 8; i++) { seed = (seed * 16807) % 2147483647; printf "%08x", seed } }' | head -c "$1"; }

: > empty
printf x > one
bytes 59 3 > in_the_record
bytes 140 4 > behind_the_record
bytes 1024 5 > one_block
bytes 4096 6 > one_page
bytes 4097 7 > page_and_one
bytes 13000 8 > direct_blocks
bytes 300000 9 > single_indirect
bytes 3000000 10 > double_indirect
for number in 0 1 2 3 4 5 6 7; do bytes 400000 "1$number" > "reader_$number"; done

dd if=double_indirect of=holes bs=4096 count=3 2>/dev/null
dd if=double_indirect of=holes bs=4096 count=2 seek=100 conv=notrunc 2>/dev/null
dd if=double_indirect of=holes bs=512 count=1 seek=9001 conv=notrunc 2>/dev/null
printf e | dd of=holes bs=1 seek=5999999 conv=notrunc 2>/dev/null
printf 'behind 4 GiB' | dd of=far bs=1 seek=4500000000 2>/dev/null
# Single blocks far apart: an extent each.
number=0
while [ $number -lt 40 ]; do
    dd if=one_page of=scattered bs=4096 count=1 seek=$((number * 3)) conv=notrunc 2>/dev/null
    number=$((number + 1))
done

mkdir -p many deep/deeper/deepest few closed
number=0
while [ $number -lt 1500 ]; do
    echo $number > "many/a_name_that_is_long_enough_for_a_tree_of_names_$number"
    number=$((number + 1))
done
echo bottom > deep/deeper/deepest/file
echo 1 > few/a && echo 2 > few/b
ln few/a few/same && ln few/a linked
ln -s few/a link
ln -s "$(printf 'n%.0s' 1 2 3 4 5 6 7 8 9)" dangling
ln -s "/$(printf 'long/%.0s' 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30)" long_link
ln -s "$(bytes 59 1)" longest_short_link
ln -s "$(bytes 60 1)" shortest_long_link
mkfifo fifo
echo 'a name' > 'a name with  blanks'
echo bytes > "$(printf 'b\303\244tes')"
chmod 0600 one && chmod 4755 one_block && chmod 2750 deep && chmod 1777 few && chmod 0 closed && chmod 0444 empty
