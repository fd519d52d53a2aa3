import { createHash } from 'node:crypto'
import { cpSync, mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ObjectId } from 'mongodb'
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import type { KeptPair } from '../../lib/domain/free-form.js'
import { headKeyOf } from '../../lib/domain/leads/lead-follow-up.js'
import { matchingSearch, SearchText } from '../../lib/domain/leads/lead-search.js'
import { emptyDatabase, testDatabase } from '../support/database.js'
import { storedLead } from '../support/fixtures/leads.js'
import { runScript, startScript } from './support/run-script.js'

/** On a noisy machine a process may take seconds to start. */
const PATIENCE = { timeout: 240_000 }
const KILLS = process.env.SOAK ? 10 : 3
const COLLECTIONS = ['leads', 'chatsessions', 'events', 'widgetconfigs', 'eventcounts', 'migrations'] as const
const FIXTURE = join(import.meta.dirname, 'fixtures', 'legacy')

function legacyFiles(change: Record<string, string> = {}): string {
  const directory = realpathSync(mkdtempSync(join(tmpdir(), 'leadline-legacy-')))
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }))
  cpSync(FIXTURE, directory, { recursive: true })
  for (const [name, content] of Object.entries(change)) writeFileSync(join(directory, name), content)
  return directory
}

const migrate = (...args: string[]) => runScript('migrate-file-to-mongo', args)
const stored = (name: (typeof COLLECTIONS)[number]) => testDatabase().db.collection(name)

/** Every document, byte for byte, in an order of its own. */
async function snapshot(names: readonly (typeof COLLECTIONS)[number][] = COLLECTIONS) {
  const all = names.map(async name => {
    const documents = await stored(name).find({}, { raw: true }).toArray()
    const digests = documents.map(bytes =>
      createHash('sha256')
        .update(bytes as unknown as Buffer)
        .digest('hex'),
    )
    return [name, digests.sort()] as const
  })
  return Object.fromEntries(await Promise.all(all))
}

beforeEach(() => emptyDatabase())

describe('the fixture', () => {
  it('is migrated with the counts of its README, once', PATIENCE, async () => {
    const from = legacyFiles()
    const dry = await migrate('--from', from)
    const untouched = await snapshot()
    const first = await migrate('--from', from, '--apply', '--verify', '--report', join(from, 'report'))
    const after = await snapshot()
    const second = await migrate('--from', from, '--apply')

    const table = [
      'widget configurations        3        3        0       0',
      'leads                      121      120        1       0',
      'chat sessions              108      108        0       0',
      'events                     360      360        0       0',
    ].join('\n')
    expect(dry).toMatchObject({ code: 0, output: expect.stringContaining(table) })
    expect(dry.told).toContain('nothing is written. --apply writes.')
    expect(Object.values(untouched).flat()).toEqual([])
    expect(first).toMatchObject({ code: 0, output: expect.stringContaining(table) })
    expect(JSON.parse(readFileSync(join(from, 'report'), 'utf8'))).toMatchObject({
      ok: true,
      differences: [],
      relationships: { sessionsOfALead: 107, sessionsWithoutLead: 1, heads: 106, laterSubmissions: 2 },
    })
    expect(second).toMatchObject({ code: 0, told: expect.stringContaining('nothing is changed') })
    expect(await snapshot()).toEqual(after)
    expect(readdirSync(FIXTURE).map(name => readFileSync(join(from, name), 'utf8'))).toEqual(
      readdirSync(FIXTURE).map(name => readFileSync(join(FIXTURE, name), 'utf8')),
    )
  })

  it('is stored as capture would have stored it', PATIENCE, async () => {
    await migrate('--from', legacyFiles(), '--apply')

    const leads = await stored('leads').find().toArray()
    const kept = (key: string, value: unknown) =>
      leads.find(({ metadata }) =>
        metadata.legacy?.some((pair: KeptPair) => pair.key === key && pair.value === value),
      )
    expect(kept('$where', 'x')).toMatchObject({ metadata: { projectId: 'lakeview.example.com' } })
    expect(kept('a.b', 1)).toBeTruthy()
    const undated = kept('createdAt', 'yesterday')
    expect(undated?.createdAt).toEqual(undated?.updatedAt)
    expect(kept('bhkType', '4 Bhk')).toMatchObject({ bhkType: '4 BHK' })
    expect(await stored('leads').findOne({ bhkRaw: { $exists: true } })).toBeNull()
    expect(await stored('leads').countDocuments({ quarantined: false, microsite: { $gte: '' } })).toBe(120)
    const head = await stored('leads').findOne({ submissions: { $gt: 1 } })
    const later = await stored('leads').find({ duplicateOf: head?._id }).toArray()
    expect(later).toHaveLength((head?.submissions ?? 0) - 1)
    for (const { phone, microsite, createdAt } of later) {
      expect({ phone, microsite }).toEqual({ phone: head?.phone, microsite: head?.microsite })
      expect(+createdAt).toBeGreaterThanOrEqual(+head?.createdAt)
    }
    const digits = SearchText.parse(head?.phone.slice(-8))
    expect(await stored('leads').countDocuments(matchingSearch(digits) as never)).toBeGreaterThan(1)
    expect(await stored('widgetconfigs').findOne({ projectId: 'nivasa-enchante' })).toMatchObject({
      propertyInfo: { pricing: [{ configuration: '2 BHK' }, { configuration: '3.5 BHK', price: '₹1.3 Cr' }] },
      createdAt: new Date('2025-09-01T00:00:00.000Z'),
    })
    const [sum] = await stored('eventcounts')
      .aggregate([{ $group: { _id: null, count: { $sum: '$count' } } }])
      .toArray()
    expect(sum?.count).toBe(120 + 240)
    expect(
      (await stored('chatsessions').find().toArray()).some(({ conversation }) => conversation.length === 400),
    ).toBe(true)
  })
})

describe('beside what was captured before', () => {
  const owner = new ObjectId()

  /** A configuration with an owner, and a live lead of a person who is in the fixture too. */
  async function captured() {
    const { leads } = JSON.parse(readFileSync(join(FIXTURE, 'leads.json'), 'utf8'))
    const [{ phone, microsite, createdAt }] = leads
    const at = new Date()
    await stored('widgetconfigs').insertOne({
      projectId: microsite,
      ownerId: owner,
      domains: [],
      revision: 3,
      createdAt: at,
      updatedAt: at,
    })
    const head = storedLead({
      phone,
      microsite,
      projectId: microsite,
      headKey: headKeyOf({ projectId: microsite, microsite }, phone),
      submissions: 1,
      lastSeenAt: at,
      createdAt: at,
    })
    await stored('leads').insertOne(head)
    const day = createdAt.slice(0, 10)
    const counter = { projectId: microsite, microsite, type: 'leadsCaptured', day }
    await stored('eventcounts').insertOne({ _id: counter as never, count: 7 })
    return { head, microsite, counter }
  }

  it(
    'leads follow their head and belong to their owner, and a rollback leaves it all as it was',
    PATIENCE,
    async () => {
      const { head, microsite, counter } = await captured()
      const before = await snapshot()
      const from = legacyFiles()
      const { code } = await migrate('--from', from, '--apply', '--verify', '--report', join(from, 'report'))

      expect(code).toBe(0)
      expect(await stored('leads').findOne({ _id: head._id })).toMatchObject({
        submissions: 2,
        lastSeenAt: head.lastSeenAt,
      })
      expect(await stored('leads').countDocuments({ microsite, migration: 1, ownerId: { $ne: owner } })).toBe(
        0,
      )
      expect(await stored('chatsessions').countDocuments({ microsite, ownerId: { $ne: owner } })).toBe(0)
      expect((await stored('eventcounts').findOne({ _id: counter as never }))?.count).toBeGreaterThan(7)

      const looked = await migrate('--rollback', '1')
      const undone = await migrate('--rollback', '1', '--apply')
      expect([looked.code, undone.code]).toEqual([0, 0])
      expect(await snapshot()).toEqual(before)
    },
  )

  it(
    'a rollback keeps what was captured since, and asks before it loses what was changed',
    PATIENCE,
    async () => {
      await migrate('--from', legacyFiles(), '--apply')
      const [head] = await stored('leads')
        .find({ headKey: { $exists: true } })
        .limit(1)
        .toArray()
      const since = storedLead({
        phone: head?.phone,
        projectId: head?.projectId,
        microsite: head?.microsite,
        duplicateOf: head?._id as never,
      })
      await stored('leads').insertOne(since)
      await stored('leads').updateOne(
        { _id: head?._id as never },
        { $set: { status: 'closed', updatedAt: new Date() } },
      )

      const refused = await migrate('--rollback', '1', '--apply')
      const undone = await migrate('--rollback', '1', '--apply', '--discard-changes')

      expect(refused).toMatchObject({ code: 1, told: expect.stringContaining('--discard-changes') })
      expect(undone.code).toBe(0)
      const [only, ...others] = await stored('leads').find().toArray()
      expect(others).toEqual([])
      expect(only).toMatchObject({ _id: since._id, headKey: head?.headKey, submissions: 1 })
      expect(only).not.toHaveProperty('duplicateOf')
    },
  )
})

describe('a damaged file', () => {
  const events = readFileSync(join(FIXTURE, 'events.json'), 'utf8')

  it('is reported before anything is written, and salvaged up to the damage', PATIENCE, async () => {
    const from = legacyFiles({ 'events.json': events.slice(0, 40_000) })
    const refused = await migrate('--from', from, '--apply')
    const nothing = await snapshot()
    const salvaged = await migrate('--from', from, '--apply', '--salvage')
    const some = await stored('events').countDocuments()
    writeFileSync(join(from, 'events.json'), events)
    const mended = await migrate('--from', from, '--apply')

    expect(refused).toMatchObject({
      code: 1,
      output: '',
      told: expect.stringContaining('events.json is damaged at byte 40000'),
    })
    expect(Object.values(nothing).flat()).toEqual([])
    expect(salvaged.code).toBe(0)
    expect(some).toBeGreaterThan(100)
    expect(mended.code).toBe(0)
    expect(await stored('events').countDocuments()).toBe(360)
    expect(await stored('migrations').countDocuments({ state: 'done' })).toBe(2)
  })
})

describe('an interruption', () => {
  it('stops at a safe point and says how to go on', PATIENCE, async () => {
    const script = startScript('migrate-file-to-mongo', ['--from', legacyFiles(), '--apply'])
    await script.until('widget configurations')
    script.child.kill('SIGINT')
    const { code, told } = await script.ended

    expect({ code, told }).toMatchObject({
      code: 130,
      told: expect.stringContaining('The same command goes on from here.'),
    })
  })

  it(`${KILLS} kills at any moment and a resumption end like a clean run`, {
    timeout: 1_200_000,
  }, async () => {
    const from = legacyFiles()
    const data = COLLECTIONS.filter(name => name !== 'migrations')
    await migrate('--from', from, '--apply')
    const clean = await snapshot(data)
    await migrate('--rollback', '1', '--apply')
    expect(Object.values(await snapshot()).flat()).toEqual([])

    const moments = ['widget configurations', 'leads', 'chat sessions', 'events', 'Linking', 'Counting']
    for (let kill = 0; kill < KILLS; kill++) {
      const script = startScript('migrate-file-to-mongo', ['--from', from, '--apply'])
      await Promise.race([
        script.until(moments[Math.floor(Math.random() * moments.length)] ?? ''),
        script.ended,
      ])
      await new Promise(resolve => setTimeout(resolve, Math.random() * 100))
      script.child.kill('SIGKILL')
      await script.ended
    }
    const last = await migrate('--from', from, '--apply', '--verify', '--report', join(from, 'report'))

    expect(last).toMatchObject({ code: 0 })
    expect(await snapshot(data)).toEqual(clean)
  })
})

it('does not begin where another process is at it', PATIENCE, async () => {
  const holder = { host: 'elsewhere.example', pid: 1 }
  await stored('migrations').insertOne({
    _id: 1 as never,
    state: 'running',
    holder,
    source: '/old',
    startedAt: new Date(),
  })
  const from = legacyFiles()
  const refused = await migrate('--from', from, '--apply')
  const taken = await migrate('--from', from, '--apply', '--take-over')

  expect(refused).toMatchObject({ code: 2, told: expect.stringContaining('process 1 on elsewhere.example') })
  expect(taken.code).toBe(0)
  expect(await stored('migrations').find().toArray()).toMatchObject([{ _id: 1, state: 'done' }])
})
