import { ObjectId } from 'mongodb'
import { beforeEach, expect, it } from 'vitest'
import { findMaintenanceLock, maintenanceLocks } from '../../lib/domain/maintenance/maintenance-lock.js'
import { phoneNumbers } from '../../lib/domain/phones/phone-numbers.js'
import { emptyDatabase, testDatabase } from '../support/database.js'
import { runScript } from './support/run-script.js'

/** On a noisy machine a process may take seconds to start. */
const PATIENCE = { timeout: 120_000 }

const NUMBER = '+918047101234'

beforeEach(async () => {
  await emptyDatabase()
  const [userId, assignedAt] = [new ObjectId(), new Date('2026-01-01')]
  await (await phoneNumbers.open()).insertOne({ _id: NUMBER, userId, assignedAt, createdAt: assignedAt })
})

async function isReleased() {
  return (await (await phoneNumbers.open()).findOne({ _id: NUMBER }))?.userId === undefined
}

it('mends what a crash left, and ends with what each job did', PATIENCE, async () => {
  const { code, output, told } = await runScript('maintain', ['--apply'])

  expect(told).toContain(`Writing to ${testDatabase().name} on `)
  expect(told).toContain('Nothing is left to do.')
  expect(code).toBe(0)
  expect(output).toMatch(/^job +state +took +what it did$/m)
  expect(output).toMatch(/^stray-phone-numbers +done +\d+ m?s +1$/m)
  expect(output).toMatch(/^counters +done +\d+ m?s +mended 0$/m)
  expect(await isReleased()).toBe(true)
  expect(await findMaintenanceLock()).toMatchObject({ ok: true, finishedAt: expect.any(Date) })
})

it('does nothing without --apply, nor while another run is at it', PATIENCE, async () => {
  const dry = await runScript('maintain', [])
  expect(dry).toMatchObject({ code: 0, output: '' })
  expect(dry.told).toContain('nothing is written. --apply writes.')
  expect(dry.told).toContain('The last run is not known.')

  const startedAt = new Date()
  const expiresAt = new Date(startedAt.getTime() + 10 * 60_000)
  await (await maintenanceLocks.open()).insertOne({
    _id: 'turn',
    holder: new ObjectId(),
    startedAt,
    expiresAt,
  })
  const second = await runScript('maintain', ['--apply'])

  expect(second).toMatchObject({ code: 0, output: '' })
  expect(second.told).toContain(`Another run is at it since ${startedAt.toISOString()}: nothing is done.`)
  expect(await isReleased()).toBe(false)
})
