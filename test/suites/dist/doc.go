// Package dist tests what `make dist` makes: a release that says truly what is in
// it, and that anybody can make again. The tests need the tag dist.
package dist
