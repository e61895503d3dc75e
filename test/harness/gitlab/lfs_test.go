package gitlab

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
)

// lfsCall asks for something below the LFS path of a repository.
func lfsCall(t *testing.T, method, url, token, body string) (int, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		request.SetBasicAuth(gitUser, token)
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, string(text)
}

func TestLFS(t *testing.T) {
	server, _ := start(t)
	repo := addRepository(t, server, "group/large")
	pointer, err := repo.AddLFS([]byte("a large file\n"))
	if err != nil {
		t.Fatal(err)
	}
	id := strings.Repeat("a", 64) // no object's
	oid := strings.TrimPrefix(strings.Split(string(pointer), "\n")[1], "oid sha256:")
	if want := fmt.Sprintf("version https://git-lfs.github.com/spec/v1\noid sha256:%s\nsize 13\n", oid); string(pointer) != want || len(oid) != len(id) {
		t.Errorf("the pointer is %q", pointer)
	}
	run := server.Submit(NewJob("job", "true"))
	base := repo.URL() + "/info/lfs/objects/"

	batch := fmt.Sprintf(`{"operation": "download", "objects": [{"oid": %q, "size": 13}, {"oid": %q, "size": 13}]}`, oid, id)
	status, body := lfsCall(t, "POST", base+"batch", run.Job.Token, batch)
	want := fmt.Sprintf(`{"objects":[{"oid":%q,"size":13,"actions":{"download":{"href":%q}}},`+
		`{"oid":%q,"size":13,"error":{"code":404,"message":"Object does not exist on the server"}}],"transfer":"basic"}`, oid, base+oid, id)
	if status != http.StatusOK || body != want {
		t.Errorf("batch: %d %s, want %s", status, body, want)
	}
	if status, body := lfsCall(t, "GET", base+oid, run.Job.Token, ""); status != http.StatusOK || body != "a large file\n" {
		t.Errorf("object: %d %q", status, body)
	}
	if calls := server.Unexpected(); len(calls) > 0 {
		t.Errorf("unexpected calls: %q", calls)
	}
	for _, row := range []struct {
		method, url, token, body string
		want                     int
	}{
		{"GET", base + oid, "", "", http.StatusUnauthorized},
		{"GET", base + oid, "another-token", "", http.StatusUnauthorized},
		{"GET", base + id, run.Job.Token, "", http.StatusNotFound},
		{"GET", base + "..%2f..%2fHEAD", run.Job.Token, "", http.StatusNotFound},
		{"POST", base + "batch", run.Job.Token, `{"operation": "upload"}`, http.StatusForbidden},
		{"POST", base + "batch", run.Job.Token, `{`, http.StatusForbidden},
	} {
		if status, _ := lfsCall(t, row.method, row.url, row.token, row.body); status != row.want {
			t.Errorf("%s %s: %d, want %d", row.method, row.url, status, row.want)
		}
	}
}
