package gitlab

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"io"
	"mime/multipart"
	"net/http"
	"testing"
	"time"
)

// client is a gitlab-runner reduced to its HTTP calls.
type client struct {
	t     *testing.T
	url   string
	token string // RUNNER-TOKEN
}

// start returns a server that ends with the test and a client of it.
func start(t *testing.T) (*Server, *client) {
	t.Helper()
	server, err := Start(Options{Log: t.Output()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Error(err)
		}
	})
	return server, &client{t: t, url: server.URL() + "/api/v4/", token: DefaultRunnerToken}
}

// answer is a reply read to its end.
type answer struct {
	status int
	header http.Header
	body   []byte
}

func (c *client) do(method, path string, header map[string]string, body []byte) answer {
	c.t.Helper()
	req, err := http.NewRequestWithContext(c.t.Context(), method, c.url+path, bytes.NewReader(body))
	if err != nil {
		c.t.Fatal(err)
	}
	for k, v := range header {
		req.Header.Set(k, v)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		c.t.Fatal(err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	return answer{resp.StatusCode, resp.Header, data}
}

func (c *client) json(method, path, header, token string, v any) answer {
	c.t.Helper()
	body, err := json.Marshal(v)
	if err != nil {
		c.t.Fatal(err)
	}
	return c.do(method, path, map[string]string{header: token, "Content-Type": "application/json"}, body)
}

// runner makes a call about the runner itself.
func (c *client) runner(method, path string) answer {
	c.t.Helper()
	return c.json(method, path, "RUNNER-TOKEN", c.token, map[string]string{"token": c.token, "system_id": "s_1"})
}

// request asks for a job; nil if there is none.
func (c *client) request() *Job {
	c.t.Helper()
	a := c.runner("POST", "jobs/request")
	switch a.status {
	case http.StatusNoContent:
		return nil
	case http.StatusCreated:
	default:
		c.t.Fatalf("jobs/request: status %d: %s", a.status, a.body)
	}
	var job Job
	if err := json.Unmarshal(a.body, &job); err != nil {
		c.t.Fatal(err)
	}
	return &job
}

// mustRequest asks for a job that has to be there.
func (c *client) mustRequest() *Job {
	c.t.Helper()
	job := c.request()
	if job == nil {
		c.t.Fatal("no job in the queue")
	}
	return job
}

func (c *client) put(job *Job, fields map[string]any) answer {
	c.t.Helper()
	fields["token"] = job.Token
	return c.json("PUT", fmt.Sprintf("jobs/%d", job.ID), "JOB-TOKEN", job.Token, fields)
}

func (c *client) running(job *Job) answer {
	c.t.Helper()
	return c.put(job, map[string]any{"state": "running"})
}

// final closes a job whose trace was log; code is the script's exit status.
func (c *client) final(job *Job, log string, code int) answer {
	c.t.Helper()
	fields := map[string]any{
		"state":  "success",
		"output": map[string]any{"checksum": fmt.Sprintf("crc32:%08x", crc32.ChecksumIEEE([]byte(log))), "bytesize": len(log)},
	}
	if code != 0 {
		fields["state"], fields["failure_reason"], fields["exit_code"] = "failed", "script_failure", code
	}
	return c.put(job, fields)
}

func (c *client) patch(job *Job, offset int, content string) answer {
	c.t.Helper()
	return c.do("PATCH", fmt.Sprintf("jobs/%d/trace?debug_trace=false", job.ID), map[string]string{
		"JOB-TOKEN": job.Token, "Content-Type": "text/plain",
		"Content-Range": fmt.Sprintf("%d-%d", offset, offset+len(content)-1),
	}, []byte(content))
}

func (c *client) upload(job *Job, token, query, content string) answer {
	c.t.Helper()
	var form bytes.Buffer
	w := multipart.NewWriter(&form)
	part, err := w.CreateFormFile("file", "artifacts.zip")
	if err != nil {
		c.t.Fatal(err)
	}
	_, _ = io.WriteString(part, content) // a bytes.Buffer does not fail
	_ = w.Close()
	return c.do("POST", fmt.Sprintf("jobs/%d/artifacts?%s", job.ID, query),
		map[string]string{"JOB-TOKEN": token, "Content-Type": w.FormDataContentType()}, form.Bytes())
}

func (c *client) download(job *Job, token string) answer {
	c.t.Helper()
	return c.do("GET", fmt.Sprintf("jobs/%d/artifacts?direct_download=true", job.ID), map[string]string{"JOB-TOKEN": token}, nil)
}

// execute takes a whole job through: confirmation, log, end.
func (c *client) execute(job *Job, log string, code int) {
	c.t.Helper()
	for _, a := range []answer{c.running(job), c.patch(job, 0, log), c.final(job, log, code)} {
		if a.status/100 != 2 {
			c.t.Fatalf("job %d: status %d: %s", job.ID, a.status, a.body)
		}
	}
}

// timeout is for what happens at once when all is well.
func timeout(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func wantStatus(t *testing.T, what string, a answer, status int) {
	t.Helper()
	if a.status != status {
		t.Errorf("%s: status %d, want %d: %s", what, a.status, status, a.body)
	}
}

func wantHeader(t *testing.T, what string, a answer, key, value string) {
	t.Helper()
	if got := a.header.Get(key); got != value {
		t.Errorf("%s: %s is %q, want %q", what, key, got, value)
	}
}

func wantExpected(t *testing.T, s *Server) {
	t.Helper()
	if calls := s.Unexpected(); len(calls) > 0 {
		t.Errorf("unexpected calls: %q", calls)
	}
}
