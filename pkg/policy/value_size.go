package policy

import (
	"errors"
	"fmt"
	"math/big"
	"regexp"
	"strconv"
	"strings"
)

// Unlimited is the value of a key that sets no limit.
const Unlimited = -1

// Size is a number of bytes. 0: the file does not have the key. [Unlimited]: no limit.
type Size int64

// CPUs is a number of CPUs in billionths, like docker's NanoCPUs. 0: the file does not have
// the key.
type CPUs int64

const (
	// minMemory is enough for a shell to start. docker has the same minimum.
	minMemory = Size(6 << 20)
	// minCPUs is the smallest share that the kernel takes: 1 ms of every 100 ms.
	minCPUs = CPUs(10_000_000)
	oneCPU  = CPUs(1_000_000_000)
	maxCPUs = 65_536 * oneCPU
	// maxSize is small enough that the sum of two sizes does not overflow.
	maxSize = Size(1 << 60)
)

var (
	sizeForm = regexp.MustCompile(`\A([0-9]{1,19}(?:\.[0-9]{1,9})?) ?(?:([kmgt])i?)?b?\z`)
	cpusForm = regexp.MustCompile(`\A[0-9]{1,6}(\.[0-9]{1,9})?\z`)
)

// ParseSize reads a size as podman and docker do (docker/go-units RAMInBytes): "512m",
// "1.5g", "512MB" or a number of bytes. 1k is 1024 bytes.
func ParseSize(s string) (Size, error) {
	parts := sizeForm.FindStringSubmatch(strings.ToLower(s))
	if parts == nil {
		return 0, fmt.Errorf("want a size such as 512m or 2g, got %q", truncate(s, 40))
	}
	number, _ := new(big.Rat).SetString(parts[1])
	shift := 10 * (1 + strings.Index("kmgt", parts[2]))
	if parts[2] == "" {
		shift = 0
	}
	number.Mul(number, new(big.Rat).SetInt64(1<<shift))
	bytes := new(big.Int).Quo(number.Num(), number.Denom())
	if !bytes.IsInt64() || Size(bytes.Int64()) > maxSize {
		return 0, fmt.Errorf("the size %q is too large", truncate(s, 40))
	}
	return Size(bytes.Int64()), nil
}

// String returns the size with the largest unit that has no fraction: "512m".
func (s Size) String() string {
	if s == Unlimited {
		return "-1"
	}
	for i, unit := range []string{"t", "g", "m", "k"} {
		if of := Size(1) << (40 - 10*i); s >= of && s%of == 0 {
			return strconv.FormatInt(int64(s/of), 10) + unit
		}
	}
	return strconv.FormatInt(int64(s), 10) + "b"
}

// ParseCPUs reads a number of CPUs, such as "1.5".
func ParseCPUs(s string) (CPUs, error) {
	if !cpusForm.MatchString(s) {
		return 0, fmt.Errorf("want a number of CPUs such as 1.5, got %q", truncate(s, 40))
	}
	number, _ := new(big.Rat).SetString(s)
	number.Mul(number, new(big.Rat).SetInt64(int64(oneCPU)))
	n := CPUs(new(big.Int).Quo(number.Num(), number.Denom()).Int64())
	if n > maxCPUs {
		return 0, fmt.Errorf("too many CPUs: %q", truncate(s, 40))
	}
	return n, nil
}

// String returns the number without zeros at its end: "1.5".
func (c CPUs) String() string {
	text := fmt.Sprintf("%d.%09d", c/oneCPU, c%oneCPU)
	return strings.TrimSuffix(strings.TrimRight(text, "0"), ".")
}

// parsePIDs reads a number of processes, or -1.
func parsePIDs(s string) (int64, error) {
	n, err := strconv.ParseInt(s, 10, 32)
	if err != nil || n < 1 && n != Unlimited {
		return 0, fmt.Errorf("want a number of processes, got %q", truncate(s, 40))
	}
	return n, nil
}

// read takes a size of the file, a string or a number of bytes.
func (s *Size) read(value any) []string {
	var err error
	switch v := value.(type) {
	case int64:
		switch {
		case v == Unlimited:
			*s = Unlimited
		case v < 0 || v > int64(maxSize):
			err = fmt.Errorf("want a size such as \"512m\", got %s", describe(value))
		default:
			*s = Size(v)
		}
	case string:
		if v == "-1" {
			*s = Unlimited
		} else {
			*s, err = ParseSize(v)
		}
	default:
		err = errors.New("want a size such as \"512m\", got " + describe(value))
	}
	return problemsOf(err)
}

// read takes a number of CPUs, a string or a number.
func (c *CPUs) read(value any) []string {
	text := ""
	switch v := value.(type) {
	case int64:
		text = strconv.FormatInt(v, 10)
	case float64:
		text = strconv.FormatFloat(v, 'f', -1, 64)
	case string:
		text = v
	default:
		return []string{"want a number of CPUs such as 1.5, got " + describe(value)}
	}
	var err error
	*c, err = ParseCPUs(text)
	return problemsOf(err)
}

func problemsOf(err error) []string {
	if err == nil {
		return nil
	}
	return []string{err.Error()}
}
