import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type EmbeddedDb, startEmbeddedDb } from '../../scripts/embedded-db/index.js'
import { commandSection, opMsg, opQuery, sequenceSection, WireClient } from './support/wire-client.js'

let server: EmbeddedDb
let client: WireClient

beforeAll(async () => {
  server = await startEmbeddedDb()
  client = await WireClient.open(server.port)
})

afterAll(async () => {
  client.socket.destroy()
  await server.close()
})

const ping = { ping: 1, $db: 'wire' }

describe('the wire protocol', () => {
  it('answers the handshake of old clients with an OP_REPLY', async () => {
    client.socket.write(opQuery(7, 'admin.$cmd', { ismaster: 1, helloOk: true }))
    const { responseTo, opCode, document } = await client.reply()
    expect({ responseTo, opCode }).toEqual({ responseTo: 7, opCode: 1 })
    expect(document).toMatchObject({ ok: 1, ismaster: true, helloOk: true, readOnly: false })
    expect(document).not.toHaveProperty('setName')
  })

  it('puts the documents of a sequence into the command, in their order', async () => {
    const insert = { insert: 'rows', ordered: true, $db: 'wire' }
    const documents = [{ _id: 2 }, { _id: 1 }]
    client.socket.write(opMsg(8, [sequenceSection('documents', documents), commandSection(insert)]))
    expect((await client.reply()).document).toEqual({ n: 2, ok: 1 })
    client.socket.write(opMsg(9, [commandSection({ find: 'rows', $db: 'wire' })]))
    expect((await client.reply()).document.cursor.firstBatch).toEqual(documents)
  })

  it('passes over a checksum', async () => {
    client.socket.write(opMsg(10, [commandSection(ping)], 1))
    expect((await client.reply()).document).toEqual({ ok: 1 })
  })

  it('does what a message with moreToCome asks, without an answer', async () => {
    const insert = { insert: 'silent', documents: [{ _id: 1 }], writeConcern: { w: 0 }, $db: 'wire' }
    const count = { count: 'silent', $db: 'wire' }
    client.socket.write(
      Buffer.concat([opMsg(11, [commandSection(insert)], 2), opMsg(12, [commandSection(count)])]),
    )
    expect(await client.reply()).toMatchObject({ responseTo: 12, document: { n: 1 } })
  })

  it('answers messages that come in pieces and several at once, in their order', async () => {
    const bytes = Buffer.concat([20, 21, 22].map(id => opMsg(id, [commandSection(ping)])))
    for (const cut of [1, 3, 15, 17, bytes.length / 3, bytes.length - 1]) {
      client.socket.write(bytes.subarray(0, cut))
      await new Promise(resolve => setTimeout(resolve, 5))
      client.socket.write(bytes.subarray(cut))
      for (const id of [20, 21, 22]) expect((await client.reply()).responseTo).toBe(id)
    }
  })

  it.each([
    ['a length below the header', Buffer.from([5, 0, 0, 0, 1, 0, 0, 0])],
    ['a length of gigabytes', Buffer.from([0, 0, 0, 0x7f, 1, 0, 0, 0])],
    ['an unknown operation', Buffer.from([16, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0])],
    ['an unknown required flag', opMsg(1, [commandSection(ping)], 1 << 5)],
    ['a section that ends before its document', opMsg(1, [commandSection(ping).subarray(0, 12)])],
  ])('hangs up on %s and goes on serving others', async (_, bytes) => {
    const stranger = await WireClient.open(server.port)
    stranger.socket.write(bytes)
    await expect(stranger.reply()).rejects.toThrow('hung up')
    client.socket.write(opMsg(30, [commandSection(ping)]))
    expect((await client.reply()).document).toEqual({ ok: 1 })
  })
})
