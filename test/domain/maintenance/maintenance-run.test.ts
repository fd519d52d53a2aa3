import { ObjectId } from 'mongodb'
import { beforeEach, describe, expect, it, vi } from 'vitest'
import { findMaintenanceLock, maintenanceLocks } from '../../../lib/domain/maintenance/maintenance-lock.js'
import {
  type Job,
  type MaintenanceOptions,
  runJobs,
} from '../../../lib/domain/maintenance/maintenance-run.js'
import { emptyDatabase } from '../../support/database.js'

const NOW = new Date('2026-11-21T03:00:00.000Z')

/** Ample: only what a test makes late ends a run. */
const BUDGET_MS = 60_000

beforeEach(() => emptyDatabase())

function run(jobs: readonly Job[], options: MaintenanceOptions = {}, now = NOW) {
  const failures: unknown[] = []
  const report = runJobs(jobs, now, failure => failures.push(failure), { budgetMs: BUDGET_MS, ...options })
  return report.then(report => ({ ...report, failures }))
}

function job(name: string, work: Job['run'] = async () => name): Job {
  return { name, run: work }
}

describe('a run', () => {
  it('does every job in its order, and what fails keeps none from it', async () => {
    const broken = new Error('broken')
    const jobs = [job('a'), job('b', () => Promise.reject(broken)), job('c')]

    const report = await run(jobs)

    expect(report).toMatchObject({ ok: false, complete: false, failures: [broken] })
    expect(report.jobs).toMatchObject([
      { name: 'a', ok: true, left: false, result: 'a' },
      { name: 'b', ok: false, left: true },
      { name: 'c', ok: true, left: false, result: 'c' },
    ])
    expect(await findMaintenanceLock()).toMatchObject({ ok: false, finishedAt: expect.any(Date) })
  })

  it('comes back to what has more to do, and adds up what was done', async () => {
    let left = 3
    const shares = job('mails', async () => ({ sent: 20, mended: ['x'], left: --left }))

    const report = await run([shares, job('b')])

    expect(report).toMatchObject({ ok: true, complete: true })
    expect(report.jobs[0]).toMatchObject({
      left: false,
      result: { sent: 60, mended: ['x', 'x', 'x'], left: 0 },
    })
  })

  it('begins nothing when its time is over, and the next one goes on from there', async () => {
    const ended = new AbortController()
    const order: string[] = []
    const jobs = ['a', 'b', 'c', 'd'].map(name =>
      job(name, async (_, shouldStop) => {
        order.push(name)
        if (name === 'b') ended.abort()
        for (let i = 0; i < 2 && !shouldStop(); i++) order.push(`${name}${i}`)
        return order.length
      }),
    )

    const first = await run(jobs, { signal: ended.signal })

    expect(order).toEqual(['a', 'a0', 'a1', 'b'])
    expect(first).toMatchObject({ ok: true, complete: false })
    expect(first.jobs.map(({ name, left }) => [name, left])).toEqual([
      ['a', false],
      ['b', true],
      ['c', true],
      ['d', true],
    ])
    await run(jobs.map(({ name }) => job(name, async () => order.push(name))))
    expect(order.slice(4)).toEqual(['c', 'd', 'a', 'b'])
  })

  it('has the time that it is given', async () => {
    const report = await run([job('a'), job('b')], { budgetMs: 0 })

    expect(report.jobs.map(({ left }) => left)).toEqual([true, true])
  })

  it('waits for no job that does not end, and keeps others out while it may be at work', async () => {
    const stuck = job('stuck', () => new Promise(() => {}))

    const report = await run([stuck, job('next')], { budgetMs: 3_000, graceMs: 20 })

    expect(report).toMatchObject({ ok: true, complete: false })
    expect(report.jobs.map(({ left }) => left)).toEqual([true, true])
    expect(await run([job('a')])).toMatchObject({ jobs: [], runningSince: NOW })
    const later = new Date(NOW.getTime() + 61_000)
    expect(
      (
        await run(
          [stuck, job('next')].map(({ name }) => job(name)),
          {},
          later,
        )
      ).complete,
    ).toBe(true)
  })
})

describe('of several at once', () => {
  it('one runs, and the others do nothing and say since when', async () => {
    let atWork = 0
    let most = 0
    let back = 0
    let release = () => {}
    const othersAreBack = new Promise<void>(resolve => {
      release = resolve
    })
    const work = job('work', async () => {
      most = Math.max(most, ++atWork)
      if (most > 1) release()
      await othersAreBack
      return --atWork
    })

    const reports = await Promise.all(
      Array.from({ length: 8 }, async () => {
        const report = await run([work])
        if (++back === 7) release()
        return report
      }),
    )

    expect(most).toBe(1)
    const refused = reports.filter(({ runningSince }) => runningSince !== undefined)
    expect(refused).toHaveLength(7)
    expect(refused[0]).toEqual({ ok: true, complete: false, runningSince: NOW, jobs: [], failures: [] })
    expect(await run([job('a')])).toMatchObject({ complete: true })
  })

  it('the next one takes over from one that died, once its lease is over', async () => {
    const locks = await maintenanceLocks.open()
    const expiresAt = new Date(NOW.getTime() + 60_000)
    const startedAt = new Date(NOW.getTime() - 5_000)
    await locks.insertOne({ _id: 'turn', holder: new ObjectId(), startedAt, expiresAt, next: 'b' })
    const jobs = [job('a'), job('b')]

    expect(await run(jobs)).toMatchObject({ runningSince: startedAt })
    const order: string[] = []
    const options = { onJob: (name: string) => void order.push(name) }
    expect(await run(jobs, options, expiresAt)).toMatchObject({ ok: true, complete: true })
    expect(order).toEqual(['b', 'a'])
  })

  it('the next one begins behind the job that killed a run', async () => {
    let noted: string | undefined
    const fatal = job('b', () =>
      vi.waitFor(async () => {
        noted = (await findMaintenanceLock())?.next
        expect(noted).toBe('c')
      }),
    )

    await run([job('a'), fatal, job('c')])

    expect(noted).toBe('c')
  })

  it('the one that lost its lock does not take it from who has it', async () => {
    const locks = await maintenanceLocks.open()
    const other = new ObjectId()
    const lose = job('lose', async () => {
      await locks.updateOne({ _id: 'turn' }, { $set: { holder: other } })
    })

    await run([lose])

    expect(await findMaintenanceLock()).toMatchObject({ holder: other, expiresAt: expect.any(Date) })
  })
})
