import { ObjectId } from 'mongodb'
import { beforeEach, describe, expect, it, vi } from 'vitest'
import { chatSessions } from '../../../lib/domain/chats/chat-sessions.js'
import { leads } from '../../../lib/domain/leads/leads.js'
import { maintain } from '../../../lib/domain/maintenance/maintenance.js'
import { finishHandOvers, handOver } from '../../../lib/domain/widgets/project-ownership.js'
import { saveWidgetConfig } from '../../../lib/domain/widgets/widget-config-writes.js'
import { findProject, widgetConfigs } from '../../../lib/domain/widgets/widget-configs.js'
import { AppError } from '../../../lib/errors.js'
import { emptyDatabase } from '../../support/database.js'
import { storedLead } from '../../support/fixtures/leads.js'
import { storedWidgetConfig } from '../../support/fixtures/widget-configs.js'

const [alice, bob, carol] = [new ObjectId(), new ObjectId(), new ObjectId()]
const NOW = new Date('2026-11-22T12:00:00.000Z')
const SETTLED = new Date(NOW.getTime() + 60_001)

const leadOf = (ownerId: ObjectId | undefined, projectId = 'nivasa-enchante') =>
  storedLead({ projectId, ...(ownerId && { ownerId }) })

async function storeChat(ownerId: ObjectId) {
  const chat = {
    _id: new ObjectId(),
    sessionId: new ObjectId().toHexString(),
    microsite: 'nivasa-enchante',
    projectId: 'nivasa-enchante',
    ownerId,
    bhkType: 'Yet to decide' as const,
    conversation: [],
    metadata: {},
    createdAt: NOW,
    updatedAt: NOW,
  }
  await (await chatSessions.open()).insertOne(chat)
}

async function ownersOf(projectId = 'nivasa-enchante') {
  const own = { projection: { ownerId: 1 } }
  const [some, chats, config] = await Promise.all([
    (await leads.open()).find({ projectId }, own).toArray(),
    (await chatSessions.open()).find({ projectId }, own).toArray(),
    (await widgetConfigs.open()).findOne({ projectId }),
  ])
  const distinct = (documents: { ownerId?: ObjectId | undefined }[]) => [
    ...new Set(documents.map(({ ownerId }) => ownerId?.toHexString())),
  ]
  return { config: config?.ownerId?.toHexString(), leads: distinct(some), chats: distinct(chats) }
}

const all = (owner: ObjectId | undefined) => {
  const id = owner?.toHexString()
  return { config: id, leads: [id], chats: [id] }
}

beforeEach(async () => {
  await emptyDatabase()
  await (await widgetConfigs.open()).insertOne(storedWidgetConfig({ ownerId: alice }))
  await (await leads.open()).insertOne(leadOf(alice))
  await storeChat(alice)
})

describe('a project that changes hands', () => {
  it('takes its leads and chats along, and nobody else’s', async () => {
    await (await leads.open()).insertMany([leadOf(alice), leadOf(undefined), leadOf(alice, 'other')])
    await handOver('nivasa-enchante', bob, NOW)
    expect(await ownersOf()).toEqual(all(bob))
    expect((await ownersOf('other')).leads).toEqual([alice.toHexString()])
  })

  it('may be nobody’s, and be given from there', async () => {
    await handOver('nivasa-enchante', undefined, NOW)
    expect(await ownersOf()).toEqual(all(undefined))
    await handOver('nivasa-enchante', bob, NOW)
    expect(await ownersOf()).toEqual(all(bob))
  })

  it('has to be stored', async () => {
    await expect(handOver('unknown', bob, NOW)).rejects.toMatchObject({ code: 'not_found' })
  })

  it('is with one owner in the end where several are given it at once', async () => {
    const owners = [bob, carol, alice, undefined, carol, bob]
    for (let round = 0; round < 10; round++) {
      await Promise.all(owners.map(owner => handOver('nivasa-enchante', owner, NOW)))
      const { config, leads, chats } = await ownersOf()
      expect({ leads, chats }).toEqual({ leads: [config], chats: [config] })
    }
  })
})

describe('maintenance', () => {
  it('finishes what a crash left in the middle, once', async () => {
    vi.spyOn(chatSessions, 'open').mockRejectedValueOnce(new AppError('unavailable'))
    await expect(handOver('nivasa-enchante', bob, NOW)).rejects.toMatchObject({ code: 'unavailable' })
    expect(await ownersOf()).toMatchObject({ config: bob.toHexString(), chats: [alice.toHexString()] })

    expect(await finishHandOvers(SETTLED)).toBe(1)
    expect(await ownersOf()).toEqual(all(bob))
    expect(await finishHandOvers(SETTLED)).toBe(0)
  })

  it('hands over what captures that were under way wrote under the old owner, once they have ended', async () => {
    await handOver('nivasa-enchante', bob, NOW)
    await (await leads.open()).insertOne(leadOf(alice))
    await storeChat(alice)
    expect(await finishHandOvers(new Date(NOW.getTime() + 59_000))).toBe(0)

    const report = await maintain(SETTLED, failure => {
      throw failure
    })
    expect(report.jobs.find(({ name }) => name === 'hand-overs')).toMatchObject({ ok: true, result: 1 })
    expect(await ownersOf()).toEqual(all(bob))
  })

  it('gives a new project what captures that were under way wrote when it was nobody’s', async () => {
    const bobs = { id: 'bob', isAdmin: false, mayClaim: false, ownerId: bob, mayEdit: () => true }
    const found = await findProject('new-site')
    await saveWidgetConfig('new-site', { agentName: 'Riya' }, bobs, NOW)
    await (await leads.open()).insertOne(leadOf(found.ownerId, 'new-site'))
    await finishHandOvers(SETTLED)
    expect((await ownersOf('new-site')).leads).toEqual([bob.toHexString()])
  })

  it('takes an owner away as it gives one', async () => {
    await handOver('nivasa-enchante', undefined, NOW)
    await (await leads.open()).insertOne(leadOf(alice))
    await finishHandOvers(SETTLED)
    expect(await ownersOf()).toEqual(all(undefined))
  })

  it('is not done with a project that changes hands meanwhile', async () => {
    await handOver('nivasa-enchante', bob, NOW)
    await Promise.all([finishHandOvers(SETTLED), handOver('nivasa-enchante', carol, SETTLED)])
    expect(await ownersOf()).toEqual(all(carol))
    expect(await finishHandOvers(new Date(SETTLED.getTime() + 60_001))).toBe(1)
    expect(await ownersOf()).toEqual(all(carol))
  })
})
