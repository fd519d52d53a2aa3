import { describe, expect, it, vi } from 'vitest'
import { Interrupted, interruptible } from '../../scripts/support/interruption.js'
import { durationText, startProgress } from '../../scripts/support/progress.js'
import { tableOf, tallyTable } from '../../scripts/support/table.js'

/** A screen that remembers, and a clock that is set. */
function makeScreen(kind: { isTTY: boolean; columns?: number }) {
  const written: string[] = []
  const clock = { ms: 0 }
  return {
    written,
    clock,
    screen: { ...kind, write: (text: string) => written.push(text) },
    now: () => clock.ms,
  }
}

describe('progress', () => {
  it('is plain lines where there is no terminal, one in ten seconds', () => {
    const { written, clock, screen, now } = makeScreen({ isTTY: false })
    const progress = startProgress('events', screen, now)
    for (clock.ms = 500; clock.ms <= 25_000; clock.ms += 500)
      progress.report(clock.ms * 2, clock.ms / 100_000)
    progress.end()

    expect(written).toEqual([
      'events   10%  20,000  2,000/s  1 min 30 s left\n',
      'events   20%  40,000  2,000/s  1 min 20 s left\n',
      'events  50,000 in 26 s  1,961/s\n',
    ])
  })

  it('is a bar on a terminal, drawn over itself and never wider than it', () => {
    const { written, clock, screen, now } = makeScreen({ isTTY: true, columns: 50 })
    const progress = startProgress('events', screen, now)
    clock.ms = 1_000
    progress.report(1_000, 0.25)
    clock.ms = 1_050
    progress.report(2_000, 0.5)
    clock.ms = 2_000
    progress.report(4_000, 1)
    progress.end()

    expect(written).toEqual([
      `\r\u001b[K${'events  █████░░░░░░░░░░░░░░░   25%  1,000  1,000/s  3 s left'.slice(0, 49)}`,
      `\r\u001b[K${'events  ████████████████████  100%  4,000  2,000/s  0 ms left'.slice(0, 49)}`,
      '\r\u001b[Kevents  4,000 in 2 s  2,000/s\n',
    ])
  })

  it('says no remaining time where the whole is not known', () => {
    const { written, clock, screen, now } = makeScreen({ isTTY: false })
    const progress = startProgress('leads', screen, now)
    clock.ms = 10_000
    progress.report(5_000)

    expect(written).toEqual(['leads  5,000  500/s\n'])
  })

  it.each([
    [0, '0 ms'],
    [59_400, '59 s'],
    [59_600, '1 min 0 s'],
    [3_600_000, '1 h 0 min'],
    [9_061_000, '2 h 31 min'],
  ])('%i ms are %s', (ms, text) => expect(durationText(ms)).toBe(text))
})

describe('the final table', () => {
  it('has numbers to the right and texts to the left', () => {
    const tally = { scanned: 1_200_000, written: 1_199_000, skipped: 1_000, failed: 0 }

    expect(tallyTable({ leads: { scanned: 3, written: 2, skipped: 1, failed: 0 }, events: tally })).toBe(
      [
        '          scanned    written  skipped  failed',
        'leads           3          2        1       0',
        'events  1,200,000  1,199,000    1,000       0',
      ].join('\n'),
    )
    expect(tableOf(['check', 'state'], [['clock', 'ok']])).toBe('check  state\nclock  ok')
  })
})

describe('an interruption', () => {
  it('stops work where it is safe, and says how to go on', async () => {
    vi.spyOn(console, 'error').mockImplementation(() => {})
    const steps: string[] = []
    const work = interruptible('Run it again.', async signal => {
      steps.push('first')
      process.kill(process.pid, 'SIGINT')
      await new Promise(resolve => signal.addEventListener('abort', resolve))
      steps.push('finished what was begun')
      signal.throwIfAborted()
      steps.push('never')
    })

    await expect(work).rejects.toThrow(new Interrupted('Run it again.'))
    expect(steps).toEqual(['first', 'finished what was begun'])
  })

  it('leaves no handler behind', async () => {
    const before = process.listenerCount('SIGINT')
    await interruptible('', async () => expect(process.listenerCount('SIGINT')).toBe(before + 1))

    expect(process.listenerCount('SIGINT')).toBe(before)
  })
})
