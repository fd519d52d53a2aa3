import { MongoClient } from 'mongodb'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { onHeartbeatHung } from '../../lib/db/heartbeats.js'

const TIMES = { connectTimeoutMS: 2_000, heartbeatFrequencyMS: 3_000 }

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

it('servers of a client that hang together are one call back: the client in its place stays open', () => {
  const client = new MongoClient('mongodb://one.example,two.example', TIMES)
  const hung = vi.fn()
  onHeartbeatHung(client, hung)

  for (const connectionId of ['one.example:27017', 'two.example:27017']) {
    client.emit('serverHeartbeatStarted', { connectionId } as never)
    vi.advanceTimersByTime(500)
  }
  vi.advanceTimersByTime(20_000)

  expect(hung).toHaveBeenCalledTimes(1)
})
