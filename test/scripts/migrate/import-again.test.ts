import { mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Collection } from 'mongodb'
import { beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest'
import leadsRoute from '../../../api/leads/index.js'
import { headKeyOf, linkToHead } from '../../../lib/domain/leads/lead-follow-up.js'
import { findFiles } from '../../../scripts/migrate/check-files.js'
import { importAll } from '../../../scripts/migrate/import-all.js'
import { leadIdOf } from '../../../scripts/migrate/lead-rows.js'
import { rollBack } from '../../../scripts/migrate/roll-back.js'
import { verifyFile } from '../../../scripts/migrate/verify-rows.js'
import { emptyDatabase, testDatabase } from '../../support/database.js'
import { storedLead } from '../../support/fixtures/leads.js'
import { adminToken, call } from '../../support/request.js'

const AT = '2025-09-01T10:00:00.000Z'

/** Everything that was said on the terminal. */
let told: string[] = []

beforeEach(async () => {
  told = []
  vi.spyOn(console, 'error').mockImplementation((line: string) => void told.push(line))
  vi.spyOn(process.stderr, 'write').mockReturnValue(true)
  await emptyDatabase()
})

const stored = (name: string) => testDatabase().db.collection(name)

/** Imports files of the old store, given as the lists in them. */
async function importFiles(lists: Record<string, unknown[]>, apply = true) {
  const directory = realpathSync(mkdtempSync(join(tmpdir(), 'leadline-again-')))
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }))
  const names: Record<string, string> = {
    configs: 'widget-config.json',
    leads: 'leads.json',
    sessions: 'chat-sessions.json',
    events: 'events.json',
  }
  for (const [list, rows] of Object.entries(lists))
    writeFileSync(join(directory, names[list] ?? ''), JSON.stringify({ [list]: rows }))
  const files = await findFiles(directory)
  const { signal } = new AbortController()
  const imported = await importAll({
    files,
    source: directory,
    apply,
    salvage: false,
    unfinished: undefined,
    signal,
    now: new Date(),
  })
  const progress = { report() {}, end() {} }
  const verified = []
  for (const file of files) verified.push(await verifyFile(file, { signal, progress, differences: [] }))
  return { ...imported, verified }
}

it('leads are in the lists page by page, whatever the old store has for their time', async () => {
  const times = ['0001-01-01T00:00:00Z', AT, '9999-12-31T23:59:59Z']
  const { tallies } = await importFiles({ leads: times.map((createdAt, id) => ({ id, createdAt })) })
  expect(tallies.leads).toMatchObject({ written: 3 })

  const listed: unknown[] = []
  for (let query = '?limit=1'; ; ) {
    const { status, body } = await call(leadsRoute, 'GET', `/api/leads${query}`, { token: adminToken() })
    expect(status).toBe(200)
    const { items, nextCursor } = body as { items: unknown[]; nextCursor: string | null }
    listed.push(...items)
    if (nextCursor === null) break
    query = `?limit=1&cursor=${nextCursor}`
  }
  expect(listed).toHaveLength(3)
})

it('events that have expired since they were imported are not imported and counted again', async () => {
  const event = (id: string, createdAt: string) => ({ id, type: 'chat_shown', projectId: 'p', createdAt })
  const old = [event('a', AT), event('b', AT)]
  await importFiles({ events: old })
  await stored('events').deleteOne({ migration: 1 })
  const later = new Date(Date.now() + 1_000).toISOString()

  const { tallies, verified } = await importFiles({ events: [...old, event('c', later)] })

  expect(tallies.events).toMatchObject({ written: 1, skipped: 2 })
  expect(verified).toMatchObject([{ found: 2, expired: 1, missing: 0 }])
  expect(told.join('\n')).toContain('stay out')
  const counters = await stored('eventcounts').find().sort({ '_id.day': 1 }).toArray()
  expect(counters.map(({ count }) => count)).toEqual([2, 1])
})

it('chats that were imported before their leads get them, until those are undone', async () => {
  const lead = { id: 7, phone: '+917000000001', microsite: 'm', createdAt: AT }
  const unnamed = { phone: '+917000000002', microsite: 'm', createdAt: AT }
  const sessions = [
    { ...lead, id: 'a', leadId: 7 },
    { ...unnamed, id: 'b' },
    { ...lead, id: 'c', leadId: 8 },
  ]
  await importFiles({ sessions })
  const before = await stored('chatsessions').find().toArray()

  const { migration, verified } = await importFiles({ leads: [lead, unnamed], sessions })

  expect(verified).toMatchObject([{ differing: 0 }, { found: 3, differing: 0 }])
  const ids = new Map((await stored('leads').find().toArray()).map(({ _id, phone }) => [phone, _id]))
  const linked = await stored('chatsessions').find().sort({ _id: 1 }).toArray()
  expect(linked.map(({ leadId, phone }) => leadId && [leadId, phone]).sort()).toEqual(
    [[ids.get(lead.phone), lead.phone], [ids.get(unnamed.phone), unnamed.phone], undefined].sort(),
  )
  await rollBack(migration as never, new AbortController().signal)
  expect(await stored('chatsessions').find().toArray()).toEqual(before)
})

it('chats and leads whose rows had anything for `metadata.legacy` get each other all the same', async () => {
  const row = { microsite: 'm', createdAt: AT }
  const odd = [[null], [7, 'leadId'], 'leadId', { key: 'leadId' }, null]
  const phones = odd.map((_, at) => `+91700000000${at}`)
  const sessions = odd.map((legacy, at) => ({ ...row, id: `${at}`, phone: phones[at], metadata: { legacy } }))
  await importFiles({ sessions })

  await importFiles({ leads: sessions.map(session => ({ ...session, id: undefined })) })

  const linked = await stored('chatsessions').find().toArray()
  expect(linked.map(({ leadId }) => Boolean(leadId))).toEqual(odd.map(() => true))
})

describe('rows that share an id and a time', () => {
  it('are two leads where their phones differ, however often and for whichever country they are read', async () => {
    const row = { id: 7, microsite: 'm', createdAt: AT }
    const leads = [
      { ...row, phone: '070000 00001' },
      { ...row, phone: '070000 00002' },
      { ...row, phone: 'none' },
      { ...row, phone: '070000 00001', name: 'once more' },
    ]
    const first = await importFiles({ leads })
    await stored('widgetconfigs').insertOne({ projectId: 'm', phoneCountry: 'GB' })
    const second = await importFiles({ leads })

    expect(first.tallies.leads).toMatchObject({ written: 3, skipped: 1 })
    expect(first.verified).toMatchObject([{ missing: 0 }])
    expect(second.tallies.leads).toMatchObject({ written: 0, skipped: 4 })
  })

  it('are two chats where their messages differ, and one where a visitor went on with it', async () => {
    const row = { id: 'a', sessionId: 's', microsite: 'm', createdAt: AT }
    const said = (text: string) => [{ id: '1', type: 'user', text, timestamp: AT }]
    const unnamed = { ...row, id: 'b', sessionId: undefined }
    const sessions = [
      { ...row, conversation: said('one') },
      { ...row, conversation: said('two') },
      { ...row, conversation: said('one'), updatedAt: new Date().toISOString() },
      { ...unnamed, conversation: said('three') },
      { ...unnamed, conversation: said('four') },
    ]
    const first = await importFiles({ sessions })
    const texts = (await stored('chatsessions').find().toArray()).map(
      ({ conversation }) => conversation[0].text,
    )
    await stored('chatsessions').updateMany(
      {},
      { $push: { conversation: { text: 'five' } as never }, $inc: { revision: 1 } },
    )
    const second = await importFiles({ sessions })

    expect(first.tallies['chat sessions']).toMatchObject({ written: 4, skipped: 1 })
    expect(texts.sort()).toEqual(['four', 'one', 'three', 'two'])
    expect(first.verified).toMatchObject([{ found: 5, missing: 0 }])
    expect(second.tallies['chat sessions']).toMatchObject({ written: 0, skipped: 5 })
  })

  it('are one chat where a text of it was cut within a character', async () => {
    const said = [{ id: '1', type: 'user', text: `${'x'.repeat(3_999)}👋`, timestamp: AT }]
    const sessions = [{ id: 'a', sessionId: 's', microsite: 'm', createdAt: AT, conversation: said }]
    await importFiles({ sessions })

    const { tallies } = await importFiles({ sessions })

    expect(tallies['chat sessions']).toMatchObject({ written: 0, skipped: 1 })
  })

  it('are one lead where an import before this one read neither its phone nor its time so', async () => {
    const leads = [
      { id: 1, microsite: 'm', createdAt: AT, phone: '९८७६५ ०१२३४' },
      { id: 2, microsite: 'm', createdAt: '0001-01-01T00:00:00Z', phone: '070000 00001' },
      { id: 3, microsite: 'm', createdAt: '9999-12-31T23:59:59Z', phone: '070000 00001' },
    ]
    await importFiles({ leads })
    for (const { id, phone, createdAt } of leads)
      await stored('leads').updateOne(
        { _id: leadIdOf(id) },
        {
          $set: { createdAt: new Date(createdAt), ...(id === 1 && { phoneRaw: phone }) },
          ...(id === 1 && { $unset: { phone: '' } }),
        },
      )

    const { tallies } = await importFiles({ leads })

    expect(tallies.leads).toMatchObject({ written: 0, skipped: 3 })
  })

  it('are one chat where it went on between two imports, or an older file is read again', async () => {
    const said = (...texts: string[]) =>
      texts.map((text, at) => ({ id: `${at}`, type: 'user', text, timestamp: AT }))
    const grown = (...texts: string[]) => [
      { id: 'a', sessionId: 's', microsite: 'm', createdAt: AT, conversation: said(...texts) },
    ]
    const three = ['one', 'two', 'three']
    await importFiles({ sessions: grown(...three) })

    for (const texts of [[...three, 'four', 'five'], ['one']]) {
      const { tallies, verified } = await importFiles({ sessions: grown(...texts) })

      expect(tallies['chat sessions']).toMatchObject({ written: 0, skipped: 1 })
      // What was not taken over is said.
      expect(verified).toMatchObject([{ found: 1, differing: 1 }])
    }
    expect(await stored('chatsessions').countDocuments()).toBe(1)
  })
})

describe('the domains of a configuration', () => {
  const config = (projectId: string, ...domains: string[]) => ({ projectId, domains, createdAt: AT })
  const domainsOf = async () =>
    Object.fromEntries(
      (await stored('widgetconfigs').find().toArray()).map(({ projectId, domains }) => [projectId, domains]),
    )

  it('are kept where one of them is none or another project’s, and those are named', async () => {
    await stored('widgetconfigs').insertOne({ projectId: 'there', domains: ['taken.example'] })
    const configs = [
      config('a', 'shop.example', '*.shop.example', 'TAKEN.example'),
      config('b', 'https://www.b.example/', 'shop.example'),
    ]
    await importFiles({ configs }, false)
    const toldBefore = told.splice(0)
    const { verified } = await importFiles({ configs })

    expect(await domainsOf()).toEqual({
      there: ['taken.example'],
      a: ['shop.example'],
      b: ['b.example'],
    })
    expect(told.filter(line => line.includes('left out'))).toEqual([
      expect.stringContaining('a: "*.shop.example", "TAKEN.example" left out'),
      expect.stringContaining('b: "shop.example" left out'),
    ])
    expect(toldBefore.filter(line => line.includes('left out'))).toHaveLength(2)
    expect(verified).toMatchObject([{ found: 2, differing: 0 }])
    const a = await stored('widgetconfigs').findOne({ projectId: 'a' })
    expect(a?.metadata.legacy).toEqual([{ key: 'domains', value: configs[0]?.domains }])
  })

  it('that are none at all leave a widget to every site, which is said aloud', async () => {
    await importFiles({ configs: [config('a', '*.shop.example')] })

    expect(await domainsOf()).toEqual({ a: [] })
    expect(told.join('\n')).toContain('EVERY SITE may use this widget')
  })
})

it('a rollback counts what is captured while it restores a head', async () => {
  const place = { phone: '+917000000001', projectId: 'm', microsite: 'm' }
  const seen = new Date('2025-01-01')
  const headKey = headKeyOf(place, place.phone)
  const head = storedLead({ ...place, headKey, submissions: 1, lastSeenAt: seen, createdAt: seen })
  await stored('leads').insertOne(head)
  const { migration } = await importFiles({
    leads: [{ id: 7, phone: place.phone, microsite: 'm', createdAt: AT }],
  })
  const captured = storedLead({ ...place, createdAt: new Date() })
  const { updateOne } = Collection.prototype
  vi.spyOn(Collection.prototype, 'updateOne').mockImplementationOnce(async function (
    this: Collection,
    ...update
  ) {
    await stored('leads').insertOne(captured)
    await linkToHead(captured, place.phone)
    return updateOne.apply(this, update)
  })

  const undone = await rollBack(migration as never, new AbortController().signal)

  expect(undone).toMatchObject({ 'leads from before': 1 })
  expect(await stored('leads').findOne({ _id: head._id })).toMatchObject({
    submissions: 2,
    lastSeenAt: captured.createdAt,
  })
})
