import type { Db, Document } from 'mongodb'
import { database } from '../../lib/db/client.js'
import { HOUR_MS } from '../../lib/domain/durations.js'
import { readCollectionStates } from '../../lib/domain/maintenance/index-states.js'
import { findMaintenanceLock } from '../../lib/domain/maintenance/maintenance-lock.js'
import type { Target } from '../support/target.js'
import { type Check, failure, ok, warning, within } from './check.js'

/** What all that is asked of the database may take. */
const TIMEOUT_MS = 30_000

const PINGS = 11
const SLOW_MS = 50

/**
 * The oldest release that MongoDB maintains, and the first that has what we ask for. Source: MongoDB's life cycle
 * policy.
 */
const MAINTAINED = 7
const REQUIRED = 4.4

/**
 * Looks at the database without changing it.
 *
 * @throws what the driver says where it cannot be reached, or does not answer in time.
 */
export function checkDatabase(target: Target): Promise<Check[]> {
  return within(TIMEOUT_MS, lookAt(target))
}

async function lookAt(target: Target): Promise<Check[]> {
  const db = await database()
  const { version } = await db.command({ buildInfo: 1 })
  const latency = await checkLatency(db)
  const before = Date.now()
  const hello = await db.command({ hello: 1 })
  const skewMs = hello.localTime instanceof Date ? (before + Date.now()) / 2 - hello.localTime.getTime() : 0
  return [
    ok('connection', target.description),
    checkVersion(String(version)),
    checkTopology(hello, target),
    latency,
    checkClock(skewMs),
    ...(await checkIndexes()),
    await checkMaintenance(),
  ]
}

function checkVersion(version: string): Check {
  const release = Number.parseFloat(version)
  if (release < REQUIRED) return failure('server', `MongoDB ${version}`, 'is too old: 4.4 is the least')
  if (release < MAINTAINED)
    return warning('server', `MongoDB ${version}`, 'is not maintained any more: upgrade to 7.0 or later')
  return ok('server', `MongoDB ${version}`)
}

function checkTopology({ setName, hosts, msg }: Document, { local }: Target): Check {
  if (msg === 'isdbgrid') return ok('replication', 'a sharded cluster')
  if (setName) return ok('replication', `a replica set of ${[hosts].flat().length}`)
  return local
    ? ok('replication', 'a standalone server on this machine')
    : warning(
        'replication',
        'a standalone server',
        'use a replica set: a disk that fails takes every lead with it',
      )
}

async function checkLatency(db: Db): Promise<Check> {
  const times: number[] = []
  for (let i = 0; i < PINGS; i++) {
    const startedAt = performance.now()
    await db.command({ ping: 1 })
    times.push(performance.now() - startedAt)
  }
  const median = times.sort((a, b) => a - b)[Math.floor(PINGS / 2)] ?? 0
  const message = `half of ${PINGS} pings take less than ${median.toFixed(1)} ms`
  return median < SLOW_MS
    ? ok('latency', message)
    : warning('latency', message, 'from here, that is: run functions in the region of the database')
}

/** Sessions, limits and the locks of maintenance compare our clock with times that other machines stored. */
export function checkClock(skewMs: number): Check {
  const seconds = Math.abs(skewMs) / 1_000
  const message = `${seconds.toFixed(1)} s ${skewMs < 0 ? 'behind' : 'ahead of'} the database`
  if (seconds < 2) return ok('clock', message)
  const advice = 'set this machine’s clock by NTP'
  return seconds < 30 ? warning('clock', message, advice) : failure('clock', message, advice)
}

async function checkIndexes(): Promise<Check[]> {
  const states = await readCollectionStates()
  const indexes = states.flatMap(({ collection, indexes }) =>
    indexes.map(({ name, state }) => ({ name: `${collection.name}.${name}`, state })),
  )
  const named = (state: string) => indexes.filter(index => index.state === state).map(({ name }) => name)
  const [missing, differs, undeclared] = [named('missing'), named('differs'), named('undeclared')]
  const fresh = states.filter(({ exists }) => !exists).length
  if (fresh === states.length)
    return [warning('indexes', 'nothing is there yet', 'npm run init-db -- --apply')]
  if (missing.length + differs.length + undeclared.length === 0)
    return [ok('indexes', `all ${indexes.length} are as declared`)]
  return [
    ...(differs.length > 0
      ? [failure('indexes', `${listed(differs)} not as declared`, 'npm run init-db -- --rebuild --apply')]
      : []),
    ...(missing.length > 0
      ? [warning('indexes', `${listed(missing)} missing`, 'npm run init-db -- --apply')]
      : []),
    ...(undeclared.length > 0
      ? [
          warning(
            'indexes',
            `${listed(undeclared)} declared by nothing`,
            'npm run init-db -- --drop-undeclared --apply',
          ),
        ]
      : []),
  ]
}

function listed(names: readonly string[]): string {
  const shown = names.slice(0, 3).join(', ')
  return names.length > 3
    ? `${shown} and ${names.length - 3} more are`
    : `${shown} ${names.length > 1 ? 'are' : 'is'}`
}

async function checkMaintenance(): Promise<Check> {
  const { finishedAt, ok: wasOk } = (await findMaintenanceLock()) ?? {}
  if (!finishedAt)
    return warning(
      'maintenance',
      'has not run yet',
      'npm run maintain -- --apply; is CRON_SECRET set where it is deployed?',
    )
  const hours = Math.max(0, Math.round((Date.now() - finishedAt.getTime()) / HOUR_MS))
  const message = `ran ${hours === 0 ? 'within the hour' : `${hours} h ago`}`
  if (!wasOk)
    return warning(
      'maintenance',
      `${message}, and some of it failed`,
      'npm run maintain -- --apply shows what',
    )
  return hours <= 50
    ? ok('maintenance', message)
    : warning('maintenance', message, 'is the cron on, with CRON_SECRET?')
}
