package control

import (
	"errors"
	"net/http"

	"github.com/tandem-ha/tandem/config"
)

// errorBody is the body of every answer that is not a success.
type errorBody struct {
	// Error says what is wrong, as the commands print it.
	Error string `json:"error"`
	// Diagnostics are what is wrong in a configuration.
	Diagnostics []config.Diagnostic `json:"diagnostics,omitempty"`
}

// NotFoundError says that there is nothing of the name that was asked for. An
// Agent returns it for the answer 404; every other error of its is a refusal, 409.
type NotFoundError struct{ Err error }

// Error is the text of Err.
func (e *NotFoundError) Error() string { return e.Err.Error() }

// Unwrap is Err.
func (e *NotFoundError) Unwrap() error { return e.Err }

// The errors that are told by a status of their own.
type (
	// badRequest is an error of the client's making.
	badRequest struct{ error }
	// forbidden is for who may not.
	forbidden struct{ error }
	// busy is for who came when there was no room.
	busy struct{ error }
	// unprocessable carries the answer to an order whose configuration cannot run.
	unprocessable struct {
		error
		body any
	}
)

func (b badRequest) Unwrap() error { return b.error }

// statusOf is the HTTP status that tells of err.
func statusOf(err error) int {
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return http.StatusRequestEntityTooLarge
	}
	if _, ok := errors.AsType[badRequest](err); ok {
		return http.StatusBadRequest
	}
	if _, ok := errors.AsType[forbidden](err); ok {
		return http.StatusForbidden
	}
	if _, ok := errors.AsType[busy](err); ok {
		return http.StatusServiceUnavailable
	}
	if _, ok := errors.AsType[unprocessable](err); ok {
		return http.StatusUnprocessableEntity
	}
	if _, ok := errors.AsType[*NotFoundError](err); ok {
		return http.StatusNotFound
	}
	return http.StatusConflict
}
