// Command s3-server is a real S3 server, Versity's gateway over a directory, for tests of caches in S3.
//
//	ROOT_ACCESS_KEY=… ROOT_SECRET_KEY=… s3-server ADDRESS DIR
//
// It listens on ADDRESS until it is told to stop. Each directory in DIR/objects is a bucket; each file in it an object, as
// it was uploaded. One account exists, that of the two variables. GET /health answers as soon as the server does.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/versity/versitygw/backend/meta"
	"github.com/versity/versitygw/backend/posix"
	"github.com/versity/versitygw/embedgw"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: s3-server ADDRESS DIR")
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := serve(ctx, os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, "s3-server:", err)
		os.Exit(1)
	}
}

// serve keeps what S3 knows about objects beside them, in DIR/attributes: not every file system of a test machine has
// extended attributes.
func serve(ctx context.Context, address, dir string) error {
	objects, attributes := filepath.Join(dir, "objects"), filepath.Join(dir, "attributes")
	for _, d := range []string{objects, attributes} {
		if err := os.MkdirAll(d, 0o700); err != nil {
			return err
		}
	}
	store, err := meta.NewSideCar(attributes)
	if err != nil {
		return fmt.Errorf("keeping attributes: %w", err)
	}
	backend, err := posix.New(objects, store, posix.PosixOpts{SideCarDir: attributes})
	if err != nil {
		return fmt.Errorf("keeping objects: %w", err)
	}
	return embedgw.RunVersityGW(ctx, backend, &embedgw.Config{
		RootUserAccess: os.Getenv("ROOT_ACCESS_KEY"), RootUserSecret: os.Getenv("ROOT_SECRET_KEY"),
		Ports: []string{address}, HealthPath: "/health",
		MaxConnections: 100, MaxRequests: 100, MultipartMaxParts: 1000,
	})
}
