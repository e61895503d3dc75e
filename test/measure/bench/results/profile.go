package results

// Profile is where the time of one kind of jobs went, by one executor of this driver:
// what its programs took, in the order of a job, and podman's commands in them.
type Profile struct {
	Kind     string         `json:"kind"`
	Executor string         `json:"executor"`
	Programs []ProgramTimes `json:"programs"`
}

// ProgramTimes is one call of a program of the driver.
type ProgramTimes struct {
	Program string `json:"program"`
	// Step is the step that podman-executor-run ran.
	Step string `json:"step,omitempty"`
	// Seconds are those of the program itself, from job to job.
	Seconds  []float64      `json:"seconds"`
	Commands []CommandTimes `json:"commands,omitempty"`
}

// CommandTimes is one command of podman that the program ran, such as "podman create".
type CommandTimes struct {
	Command string    `json:"command"`
	Seconds []float64 `json:"seconds"`
}

// InPrograms is the sum of the programs' medians, in seconds. Programs of a job run one
// after the other; commands of one program may run at the same time, so their
// sum means nothing.
func (p Profile) InPrograms() (sum float64) {
	for _, program := range p.Programs {
		sum += Median(program.Seconds)
	}
	return sum
}
