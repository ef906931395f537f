# What a container sees of itself and of the machine, in sections. The output of two runtimes is compared line by line.
section() { echo "== $1"; }

section mounts
cat /proc/self/mountinfo
section status
grep -E '^(Uid|Gid|Groups|Cap|NoNewPrivs|Seccomp:|Sig(Blk|Ign|Cgt)|Umask)' /proc/self/status
section identity
id
section limits
cat /proc/self/limits
section environment
env | sort
section namespaces
for name in cgroup ipc mnt net pid user uts; do echo "$name $(readlink /proc/self/ns/$name)"; done
section neighbours
if [ -e /neighbour/namespaces ]; then
    while read name link; do
        if [ "$(readlink /proc/self/ns/$name)" = "$link" ]; then echo "$name in common"; else echo "$name of its own"; fi
    done </neighbour/namespaces
    echo "$(ls /dev/shm) by the neighbour"
fi
section process
pwd
umask
cat /proc/self/oom_score_adj /proc/1/cmdline | tr '\0' ' '
echo
for fd in 0 1 2; do readlink /proc/1/fd/$fd | sed 's/[0-9][0-9]*\]/N]/'; done
# The last one is the directory's.
ls /proc/self/fd
if [ -t 0 ]; then tty; fi
ls -ln /proc/1/fd/0 /proc/1/fd/1 | cut -d' ' -f1,3,4
ps -o pid= -o ppid= -o pgid= -o sid= -p 1
section names
hostname
cat /etc/hostname /etc/hosts /etc/resolv.conf
section dev
find /dev -exec stat -c '%N %F %a %u:%g %t:%T' {} + | sort
for device in null zero full random urandom tty ptmx; do
    if (: </dev/$device) 2>/dev/null; then echo "$device opens"; else echo "$device refuses"; fi
done
section masked
for path in /proc/acpi /proc/asound /proc/interrupts /proc/kcore /proc/keys /proc/latency_stats /proc/sched_debug /proc/scsi \
    /proc/timer_list /sys/devices/virtual/powercap /sys/firmware /root /home /run /etc/shadow; do
    [ -e $path ] || { echo "$path is not there"; continue; }
    echo "$path $(stat -c '%F %a %u:%g' $path) $( (ls -A $path; head -c 64 $path) 2>/dev/null | wc -c)"
done
section writable
for path in / /etc /usr /opt /var /tmp /proc/sys/kernel/hostname /proc/sys/net/ipv4/ip_forward /proc/sysrq-trigger /proc/irq /proc/bus \
    /proc/fs /sys /sys/fs/cgroup /sys/kernel /dev /dev/shm /dev/mqueue /root /etc/hosts /etc/hostname /etc/resolv.conf; do
    if [ -w $path ]; then echo "$path yes"; else echo "$path no"; fi
done
section sysctls
for name in net/ipv4/ip_unprivileged_port_start net/ipv4/ping_group_range kernel/shm_rmid_forced kernel/hostname; do
    echo "$name $(cat /proc/sys/$name)"
done
section cgroup
cat /proc/self/cgroup
for file in cpu/cpu.shares cpu/cpu.cfs_quota_us cpu/cpu.cfs_period_us memory/memory.limit_in_bytes memory/memory.memsw.limit_in_bytes \
    pids/pids.max cpu.max cpu.weight memory.max memory.swap.max pids.max memory.oom.group; do
    if [ -e /sys/fs/cgroup/$file ]; then echo "$file $(cat /sys/fs/cgroup/$file)"; fi
done
section network
# The machine's own come and go with other pods.
ls /sys/class/net | sed 's/^k[0-9a-f]*$/of a pod/' | sort -u
section devices-made
rm -f /tmp/disk /dev/disk-made
mknod /tmp/disk b 7 0 2>/dev/null && { head -c 1 /tmp/disk >/dev/null 2>&1 && echo "/tmp works" || echo "/tmp does not work"; } || echo "/tmp refused"
mknod /dev/disk-made b 7 0 2>/dev/null && { head -c 1 /dev/disk-made >/dev/null 2>&1 && echo "/dev works" || echo "/dev does not work"; } || echo "/dev refused"
section calls
# The numbers are x86_64's.
[ "$(uname -m)" != x86_64 ] || perl -e '
    # Harmless if they are let through: they fail for other reasons then.
    my %calls = (keyctl => 250, add_key => 248, bpf => 321, clone3 => 435, mount => 165, umount2 => 166, pivot_root => 155, reboot => 169,
        swapon => 167, init_module => 175, kexec_load => 246, ptrace => 101, unshare => 272, setns => 308, perf_event_open => 298,
        personality => 135, settimeofday => 164, userfaultfd => 323, open_by_handle_at => 304, quotactl => 179, acct => 163, iopl => 172,
        process_vm_readv => 310, io_uring_setup => 425, fsopen => 430, move_mount => 429, syslog => 103, unknown => 1000, getpid => 39);
    for my $name (sort keys %calls) {
        $! = 0;
        my $bad = -1;
        my $result = syscall($calls{$name}, $bad, $bad, $bad, $bad, $bad);
        print "$name ", ($result == -1 ? $! + 0 : "ok"), "\n";
    }'
section volumes
for dir in "$@"; do find $dir -exec stat -c '%N %F %a %u:%g %s' {} + | sort; done
section end
