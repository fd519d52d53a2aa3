import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { field, isDoc } from '../../scripts/embedded-db/values.js'
import { testDatabase } from '../support/database.js'
import { backgroundTasksDone, trackBackgroundTasks } from '../support/fixtures/background-tasks.js'
import { decodeReply, type LostWrite, type ReplicaSet, startReplicaSet } from '../support/replica-set.js'
import { startWireProxy, type WireProxy } from '../support/wire-proxy.js'
import { type Client, type Clients, isServed, startClients } from './clients.js'

/** What a client's first request writes, in this order. */
const WRITES: readonly [Client, collections: string[]][] = [
  ['capture', ['leads', 'chatsessions', 'eventcounts']],
  // A retry that finds its event there counts nothing: that is for the recount of the day.
  ['event', ['events']],
  ['login', ['loginfailures', 'users', 'refreshtokens']],
  ['call', ['conversations', 'conversationturns', 'usageperiods']],
  ['admission', ['admittedcalls', 'usageperiods']],
  // Not its claim in `stripeevents`: one that nobody knows of lasts a minute, and Stripe comes later than that.
  ['webhook', ['userprofiles']],
]

trackBackgroundTasks()

let clients: Clients

beforeEach(async () => {
  clients = await startClients()
})

async function expectAllOnce(): Promise<void> {
  await backgroundTasksDone()
  await clients.recover()
  await backgroundTasksDone()
  await clients.expectOnce()
}

describe('a server by itself', () => {
  let proxy: WireProxy
  let traps = new Set<unknown>()

  beforeEach(async () => {
    proxy = await startWireProxy(testDatabase().uri, async ({ name, target }, forward) => {
      const reply = await forward()
      const isWrite = /^(insert|update|findAndModify|delete)$/.test(name)
      return isWrite && traps.delete(target) ? undefined : reply
    })
    // As with a standalone server, whatever is behind: the retry is the client's.
    await clients.deploy(`${proxy.uri}&retryWrites=false`)
  })

  afterEach(async () => {
    await clients.close()
    await proxy.close()
  })

  it('that does each write and is cut off before it answers has it done once after the retry', async () => {
    for (const [client, collections] of WRITES) {
      traps = new Set(collections)
      let seen = await clients.ask(client)
      for (let tries = 1; !isServed(client, seen) && tries <= collections.length; tries++) {
        expect(seen.status, client).toBe(503)
        seen = await clients.ask(client)
      }
      await backgroundTasksDone()
      expect([client, seen.status, ...traps]).toEqual([client, expect.toSatisfy(status => status < 300)])
    }

    await expectAllOnce()
  })
})

describe('a majority that is away', () => {
  const failed = { code: 64, codeName: 'WriteConcernTimeout', errmsg: 'waiting for replication timed out' }
  let isAway = false
  let proxy: WireProxy

  beforeEach(async () => {
    isAway = false
    // As a mongos before version 8: beside a duplicate it says nothing of the write concern.
    proxy = await startWireProxy(testDatabase().uri, async ({ name, target, message }, forward) => {
      const reply = await forward()
      if (!isAway || target === 'stripeevents') return reply
      const concern = field(message.command, 'readConcern')
      if (isDoc(concern) && field(concern, 'level') === 'majority')
        return { ok: 1, cursor: { id: 0n, ns: 'any.thing', firstBatch: [] } }
      if (!/^(insert|update|findAndModify|delete)$/.test(name)) return reply
      const answer = decodeReply(reply)
      return Number(answer.ok) === 1 && !answer.writeErrors ? { ...answer, writeConcernError: failed } : reply
    })
    await clients.deploy(proxy.uri)
  })

  afterEach(async () => {
    await clients.close()
    await proxy.close()
  })

  it('has nothing acknowledged that it does not have, when it comes again neither', async () => {
    isAway = true

    for (const [client] of WRITES)
      for (let times = 1; times <= 2; times++)
        expect([client, (await clients.ask(client)).status]).toEqual([client, 503])

    isAway = false
    await expectAllOnce()
  })
})

describe('a primary that goes away', () => {
  const kinds: readonly LostWrite[] = [
    'NotWritablePrimary',
    'InterruptedDueToReplStateChange',
    'PrimarySteppedDown',
    'connection closed',
  ]
  let set: ReplicaSet

  beforeEach(async () => {
    set = await startReplicaSet(testDatabase().uri)
    await clients.deploy(set.uri)
  })

  afterEach(async () => {
    await clients.close()
    await set.close()
  })

  /** Without soak each client meets one kind, in turns. */
  const rounds = process.env.SOAK === '1' ? kinds.length : 1
  it.each(Array.from({ length: rounds }, (_, i) => i))(
    'at a write is not noticed by its client, and all is done once (%i)',
    async round => {
      for (const [i, [client, collections]] of WRITES.entries()) {
        const lost = kinds[(i + round) % kinds.length] ?? 'NotWritablePrimary'
        const steppedDown = set.stepDownAt(collections[0] ?? '', lost).then(set.elect)
        const seen = await clients.ask(client)
        await steppedDown
        expect(isServed(client, seen), `${client} ${lost}: ${seen.status}`).toBe(true)
      }

      await expectAllOnce()
    },
  )
})
