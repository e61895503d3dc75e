package main

import (
	"fmt"
	"net"
	"path/filepath"
	"strings"

	"podman-executor/test/harness/slurm"
)

// slurmConf is slurm.conf but for the nodes: see slurm.conf(5).
//
// linuxproc: the cgroup plugins refuse a machine that has cgroup v1 controllers mounted. So Slurm knows a job's processes by
// their parents, which a container's are not among: conmon leaves them.
//
// SlurmdTimeout: slurmctld asks the nodes every third of it, and gives a node up, and its jobs (NODE_FAIL), when it has not
// answered for as long. The default is 300 s.
//
// JobAcctGatherParams: a job whose processes take more memory than it asked for is killed; they are looked at each second.
//
// bf_interval, sched_interval: jobs that could not start at once are tried again after a second, instead of 30 s and 60 s.
//
// KillWait stays at the default, 30 s between SIGTERM and SIGKILL at the time limit; MinJobAge, 300 s for which jobs that
// have ended are shown, too.
const slurmConf = `ClusterName=test
SlurmctldHost=controller(127.0.0.1)
SlurmctldPort=%[2]d
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket=%[1]s/munge.socket
StateSaveLocation=%[1]s/state
SlurmdSpoolDir=%[1]s/%%n
SlurmctldPidFile=%[1]s/slurmctld.pid
SlurmdPidFile=%[1]s/%%n.pid
MpiDefault=none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=1
JobAcctGatherParams=OverMemoryKill
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
DefMemPerCPU=256
PreemptType=preempt/partition_prio
PreemptMode=CANCEL
ReturnToService=2
SlurmdTimeout=6
OverTimeLimit=0
SchedulerParameters=bf_interval=1,sched_interval=1
`

// cgroupConf is read, though no plugin of Slurm's uses cgroups here; the default, autodetect, ends slurmd with "Hybrid mode
// is not supported" where v1 controllers are mounted.
const cgroupConf = "CgroupPlugin=cgroup/v1\n"

// partitions has every node in main, n2 alone where jobs displace each other.
const partitions = `PartitionName=` + slurm.Main + ` Nodes=%[1]s Default=YES MaxTime=60 DefaultTime=10 PriorityTier=5 PreemptMode=OFF
PartitionName=` + slurm.Short + ` Nodes=%[1]s MaxTime=1 PriorityTier=5 PreemptMode=OFF
PartitionName=` + slurm.Low + ` Nodes=%[2]s MaxTime=60 DefaultTime=10 PriorityTier=1 PreemptMode=CANCEL
PartitionName=` + slurm.High + ` Nodes=%[2]s MaxTime=60 DefaultTime=10 PriorityTier=10 PreemptMode=OFF
`

// configuration returns slurm.conf for a cluster in dir; the first port is slurmctld's, the others are the nodes'.
func configuration(dir string, ports []int) string {
	var b strings.Builder
	fmt.Fprintf(&b, slurmConf, dir, ports[0])
	for i, n := range slurm.Nodes {
		fmt.Fprintf(&b, "NodeName=%[1]s NodeHostname=%[1]s NodeAddr=127.0.0.1 Port=%[2]d CPUs=%[3]d RealMemory=%[4]d\n",
			n, ports[i+1], slurm.CPUs, slurm.Memory)
	}
	fmt.Fprintf(&b, partitions, strings.Join(slurm.Nodes, ","), slurm.Nodes[len(slurm.Nodes)-1])
	return b.String()
}

// freePorts returns n ports of loopback that nobody listens on.
func freePorts(n int) ([]int, error) {
	var ports []int
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, fmt.Errorf("looking for a free port: %w", err)
		}
		defer func() { _ = l.Close() }()
		ports = append(ports, l.Addr().(*net.TCPAddr).Port)
	}
	return ports, nil
}

func logFile(dir, name string) string { return filepath.Join(dir, name+".log") }
