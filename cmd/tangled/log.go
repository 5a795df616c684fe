package main

import (
	"io"
	"log/slog"
)

func (c *config) logger(out io.Writer) *slog.Logger {
	if c.Log.Format == formatJSON {
		return slog.New(slog.NewJSONHandler(out, &slog.HandlerOptions{Level: c.Log.Level}))
	}
	return newTextLogger(out, c.Log.Level)
}

// newTextLogger writes a line a record. It takes an error by its text: slog would
// ask for all that it can tell, which for one of Pebble's is several stack traces.
func newTextLogger(out io.Writer, level slog.Leveler) *slog.Logger {
	return slog.New(slog.NewTextHandler(out, &slog.HandlerOptions{
		Level: level,
		ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if err, ok := a.Value.Any().(error); ok {
				a.Value = slog.StringValue(err.Error())
			}
			return a
		},
	}))
}
