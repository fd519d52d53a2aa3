/** How often a bar is drawn on a terminal, and how often a line is written elsewhere, in milliseconds. */
const DRAWN_EVERY_MS = 100
const LINE_EVERY_MS = 10_000
const BAR_WIDTH = 20

/** Where progress is shown: standard error, so that standard output stays the result alone. */
export interface Screen {
  isTTY?: boolean
  columns?: number
  write(text: string): unknown
}

export interface Progress {
  /**
   * Says how far the work is.
   *
   * @param done how many of what is counted, so far.
   * @param fraction how much of the whole that is, 0 to 1, where it is known: from it come bar and remaining time.
   */
  report(done: number, fraction?: number): void
  /** Leaves one line that says how many there were and how fast. Also after a failure. */
  end(): void
}

/**
 * Shows the progress of long work with its rate and remaining time: a bar on a terminal, a plain line every ten
 * seconds elsewhere. Nothing is drawn between reports, so nothing is left running.
 *
 * @param label what is counted: `events`.
 */
export function startProgress(
  label: string,
  screen: Screen = process.stderr,
  now: () => number = () => performance.now(),
): Progress {
  const startedAt = now()
  const every = screen.isTTY ? DRAWN_EVERY_MS : LINE_EVERY_MS
  let shownAt = startedAt
  let count = 0

  const rate = () => `${rounded((count * 1000) / Math.max(1, now() - startedAt))}/s`

  function lineOf(fraction: number | undefined): string {
    if (fraction === undefined) return [label, rounded(count), rate()].join('  ')
    const part = Math.min(1, Math.max(0, fraction))
    const full = Math.round(part * BAR_WIDTH)
    const bar = `${'█'.repeat(full)}${'░'.repeat(BAR_WIDTH - full)}`
    const percent = `${Math.floor(part * 100)}%`.padStart(4)
    const leftMs = part === 0 ? undefined : ((now() - startedAt) * (1 - part)) / part
    const left = leftMs === undefined ? '' : `${durationText(leftMs)} left`
    return [label, ...(screen.isTTY ? [bar] : []), percent, rounded(count), rate(), left].join('  ').trimEnd()
  }

  return {
    report(done, fraction) {
      count = done
      if (now() - shownAt < every) return
      shownAt = now()
      const line = lineOf(fraction)
      // A line that wraps could not be drawn over.
      screen.write(screen.isTTY ? `${CLEAR}${line.slice(0, (screen.columns ?? 80) - 1)}` : `${line}\n`)
    },
    end() {
      const took = durationText(now() - startedAt)
      screen.write(`${screen.isTTY ? CLEAR : ''}${label}  ${rounded(count)} in ${took}  ${rate()}\n`)
    },
  }
}

/** To the start of the line, and everything behind it away (ECMA-48: EL). */
const CLEAR = '\r\u001b[K'

/** A duration for people: `850 ms`, `12 s`, `3 min 20 s`, `2 h 5 min`. */
export function durationText(ms: number): string {
  if (ms < 1_000) return `${Math.round(ms)} ms`
  const seconds = Math.round(ms / 1_000)
  if (seconds < 60) return `${seconds} s`
  if (seconds < 3_600) return `${Math.floor(seconds / 60)} min ${seconds % 60} s`
  return `${Math.floor(seconds / 3_600)} h ${Math.floor((seconds % 3_600) / 60)} min`
}

function rounded(count: number): string {
  return Math.round(count).toLocaleString('en-GB')
}
