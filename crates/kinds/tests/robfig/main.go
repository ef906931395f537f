// Answers rows with what robfig/cron says: reads `schedule TAB zone TAB start`, writes the row with the next four instants after
// the start, `never`, `error: TEXT`, or `hangs` where there is no answer within three seconds. Lines with # and empty ones are
// passed on; the fourth column is written anew, the fifth is kept. On Debian:
//
//	apt-get install golang-go golang-github-robfig-cron-dev
//	GOFLAGS=-mod=mod go run . <rows.tsv
package main

import (
	"bufio"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/robfig/cron/v3"
)

func main() {
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		columns := strings.Split(lines.Text(), "\t")
		if strings.HasPrefix(columns[0], "#") || len(columns) < 3 {
			fmt.Println(lines.Text())
			continue
		}
		answer := make(chan string, 1)
		go func() { answer <- next(columns[0], columns[1], columns[2]) }()
		text := "hangs"
		select {
		case text = <-answer:
		case <-time.After(3 * time.Second):
		}
		fmt.Println(strings.Join(append(append(columns[:3:3], text), columns[min(4, len(columns)):]...), "\t"))
	}
}

// As Kubernetes asks: the zone stands before the schedule.
func next(schedule, zone, start string) (text string) {
	defer func() {
		if recovered := recover(); recovered != nil {
			text = "panic"
		}
	}()
	if zone != "" {
		schedule = "TZ=" + zone + " " + schedule
	}
	parsed, err := cron.ParseStandard(schedule)
	if err != nil {
		return "error: " + err.Error()
	}
	at, err := time.Parse(time.RFC3339, start)
	if err != nil {
		return "start: " + err.Error()
	}
	var instants []string
	for len(instants) < 4 {
		at = parsed.Next(at.UTC())
		if at.IsZero() {
			instants = append(instants, "never")
			break
		}
		instants = append(instants, at.UTC().Format(time.RFC3339))
	}
	return strings.Join(instants, " ")
}

func min(a, b int) int {
	if a < b {
		return a
	}
	return b
}
