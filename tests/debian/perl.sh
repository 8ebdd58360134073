# Debian's dynamic perl: regular expressions, processes, sockets, sorting, modules in C.
# packages: bash coreutils perl
export LC_ALL=C
cd /tmp
cat > test.pl <<'PERL'
use strict; use warnings; use threads; use threads::shared; use IO::Select; use IO::Socket::UNIX; use Socket; use POSIX qw(:sys_wait_h floor strftime);
use Digest::SHA qw(sha256_hex); use Storable qw(freeze thaw); use List::Util qw(sum reduce shuffle); use Time::HiRes qw(time sleep); use File::Find; use File::Temp; use Fcntl qw(:flock); use Data::Dumper;
$| = 1; $Data::Dumper::Sortkeys = 1; $Data::Dumper::Indent = 1;
my %count; $count{lc $_}++ for "the cat and The dog and the bird" =~ /(\w+)/g;
print join(",", map { "$_=$count{$_}" } sort { $count{$b} <=> $count{$a} || $a cmp $b } keys %count), "\n";
(my $text = "2020-02-29") =~ s/(\d+)-(\d+)-(\d+)/$3.$2.$1/; print "$text\n";
print "balanced\n" if "(a(b)c)" =~ /^(\((?:[^()]++|(?1))*\))$/;
my @big = map { ($_ * 7919) % 100003 } 1 .. 50000; my @sorted = sort { $a <=> $b } @big; print sha256_hex(join ",", @sorted), "\n";
print Dumper(thaw freeze { list => [1, 2, { deep => 'x' }], n => undef });
printf "%.3f %e %s %s\n", atan2(1, 1) * 4, 12345.678, 0x1f, sprintf("%b", 10); print strftime("%F %T", gmtime 1e9), "\n";
pipe my $r, my $w; my $pid = fork // die; if (!$pid) { close $r; print $w "from the child $_\n" for 1 .. 3; close $w; exit 7 } close $w; print while <$r>; waitpid $pid, 0; print "status ", $? >> 8, "\n";
my %kids; for my $n (1 .. 8) { my $p = fork; if (!$p) { exit $n } $kids{$p} = $n } my $total = 0; while ((my $p = waitpid -1, 0) > 0) { $total += $? >> 8; die unless $kids{$p} == $? >> 8 } print "eight children $total\n";
socketpair my $one, my $two, AF_UNIX, SOCK_STREAM, 0; if (!fork) { close $one; while (sysread $two, my $b, 100) { syswrite $two, uc $b } exit } close $two; syswrite $one, "over a socket\n"; sysread $one, my $answer, 100; print $answer; close $one; wait;
my $server = IO::Socket::UNIX->new(Type => SOCK_STREAM, Local => "s", Listen => 5) or die "listen $!"; 
for my $n (1 .. 4) { if (!fork) { my $c = IO::Socket::UNIX->new(Type => SOCK_STREAM, Peer => "s") or die; print $c "client $n\n"; print scalar(<$c>) eq "hello client $n\n" ? "" : "wrong\n"; exit } }
my $select = IO::Select->new($server); my $served = 0; while ($served < 4) { for my $h ($select->can_read(20)) { if ($h == $server) { $select->add($server->accept) } else { my $l = <$h>; print $h "hello $l"; $select->remove($h); close $h; $served++ } } } 1 while wait > 0; print "served $served\n";
local $SIG{ALRM} = sub { die "alarm\n" }; eval { alarm 1; select undef, undef, undef, 5; }; print "caught $@"; local $SIG{USR1} = sub { print "usr1\n" }; kill USR1 => $$;
local $SIG{CHLD} = sub { print "a child ended\n" while waitpid(-1, WNOHANG) > 0 }; if (!fork) { exit } select undef, undef, undef, 0.05 for 1 .. 20; $SIG{CHLD} = 'DEFAULT';
my $shared :shared = 0; my @threads = map { threads->create(sub { for (1 .. 200) { lock $shared; $shared++ } return threads->tid > 0 }) } 1 .. 6; $_->join for @threads; print "threads $shared\n";
open my $f, '+>', 'locked'; my @lockers; for (1 .. 4) { push @lockers, fork || do { for (1 .. 25) { open my $g, '+<', 'locked'; flock $g, LOCK_EX; my $v = <$g> // 0; seek $g, 0, 0; truncate $g, 0; print $g $v + 1; close $g } exit } } waitpid $_, 0 for @lockers; seek $f, 0, 0; print "locked ", <$f>, "\n";
my $out = `echo from a shell; exit 3`; print $out, $? >> 8, "\n"; open my $p, '-|', 'seq 1 100000' or die; my $s = 0; $s += $_ while <$p>; print "$s\n"; close $p; open $p, '|-', 'sort -r' or die; print $p "$_\n" for 1 .. 3; close $p;
mkdir "d$_" for 1 .. 3; my @found; find({ wanted => sub { push @found, $_ if /^d\d$/ }, no_chdir => 0 }, '.'); print join(' ', sort @found), "\n"; my $tmp = File::Temp->new; print $tmp 'x' x 1e6; close $tmp; print -s "$tmp", "\n";
my $deep = 0; sub down { my $n = shift; no warnings 'recursion'; $n ? 1 + down($n - 1) : 0 } print down(20000), "\n"; my $str = 'ab' x 5e6; print length $str, "\n"; print eval { die { code => 42 } } || $@->{code}, "\n"; print "$0 $^O ", scalar(@ARGV), "\n"; END { print "end\n" }
PERL
perl test.pl one two; echo "status $?"
perl -ne 'print if /^root/' /etc/passwd; seq 1 5 | perl -pe 's/(\d)/$1*2/e'; perl -MConfig -e 'print "$Config{archname} $Config{ptrsize}\n"'
perl -e 'exec "sh", "-c", "exit 9"'; echo $?; perl -e 'kill 9, $$'; echo $?
