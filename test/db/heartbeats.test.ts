import { MongoClient } from 'mongodb'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { onHeartbeatHung } from '../../lib/db/heartbeats.js'

const ONE = 'one.example:27017'
const TWO = 'two.example:27017'

let client: MongoClient
const hung = vi.fn()

beforeEach(() => {
  vi.useFakeTimers()
  hung.mockReset()
  client = new MongoClient(`mongodb://${ONE},${TWO}`, {
    connectTimeoutMS: 2_000,
    heartbeatFrequencyMS: 3_000,
  })
  onHeartbeatHung(client, hung)
})
afterEach(() => void vi.useRealTimers())

const started = (address: string) => client.emit('serverHeartbeatStarted', { connectionId: address } as never)

it('a heartbeat that does not end is told of once no other limit can end it', () => {
  started(ONE)
  vi.advanceTimersByTime(7_500)
  expect(hung).not.toHaveBeenCalled()

  vi.advanceTimersByTime(1_000)
  expect(hung).toHaveBeenCalledTimes(1)
})

it('servers of a client that hang together are one call back: the client in its place stays open', () => {
  started(ONE)
  vi.advanceTimersByTime(500)
  started(TWO)
  vi.advanceTimersByTime(20_000)

  expect(hung).toHaveBeenCalledTimes(1)
})

it.each([
  ['succeeded', () => client.emit('serverHeartbeatSucceeded', { connectionId: ONE } as never)],
  ['failed', () => client.emit('serverHeartbeatFailed', { connectionId: ONE } as never)],
  ['ended with its client', () => client.emit('serverClosed', { address: ONE } as never)],
])('one that %s is over', (_, end) => {
  started(ONE)
  vi.advanceTimersByTime(1_000)
  end()
  vi.advanceTimersByTime(20_000)

  expect(hung).not.toHaveBeenCalled()
})
