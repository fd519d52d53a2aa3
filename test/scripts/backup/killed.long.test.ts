import { existsSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, it, vi } from 'vitest'
import { runScript, startScript } from '../support/run-script.js'
import { contentOf } from './support/content.js'
import { embeddedPlace, emptyTestPlace, fillMany, makeDirectory } from './support/databases.js'

const ROUNDS = process.env.SOAK ? 10 : 2
/** Of each of two collections: many times what is written within the moments below. */
const ROWS = 5_000
const PATIENCE = 120_000 + ROUNDS * 60_000
const UNFINISHED = 'unfinishedrestores'

const waitFor = (condition: () => Promise<void>) => vi.waitFor(condition, { timeout: 60_000, interval: 5 })
const aWhile = (ms: number) => new Promise(resolve => setTimeout(resolve, Math.random() * ms))

it(`is whole after a backup and a restore that were killed ${ROUNDS} times each`, {
  timeout: PATIENCE,
}, async () => {
  const [source, target] = [await embeddedPlace(), await emptyTestPlace()]
  await fillMany(source.db, ROWS)
  const parent = makeDirectory()
  const directory = join(parent, 'backup')
  const options = { env: { MONGO_URI: source.uri } }
  for (let round = 0; round < ROUNDS; round++) {
    const { child, ended } = startScript('backup', ['--out', directory], options)
    const running = ended.then(({ code }) => code)
    await waitFor(async () => expect(await readdir(parent)).toContain(`backup.partial-${child.pid}`))
    await aWhile(50)
    child.kill('SIGKILL')
    if ((await running) === 0) break
    expect(existsSync(directory)).toBe(false)
  }
  if (!existsSync(directory)) expect((await runScript('backup', ['--out', directory], options)).code).toBe(0)
  expect(await readdir(parent)).toEqual(['backup'])

  const restore = ['--from', directory, '--apply']
  const into = { env: { MONGO_URI: target.uri } }
  for (let round = 0; round < ROUNDS; round++) {
    const earlier = await target.db.collection(UNFINISHED).findOne()
    const { child, ended } = startScript('restore', restore, into)
    await waitFor(async () => {
      const begun = await target.db.collection(UNFINISHED).findOne()
      expect(begun && begun.run !== earlier?.run).toBe(true)
    })
    await aWhile(50)
    child.kill('SIGKILL')
    expect((await ended).code).toBeNull()
  }
  const refused = await runScript('backup', ['--out', join(parent, 'half')], into)
  expect(refused).toMatchObject({
    code: 2,
    told: expect.stringContaining('is not finished here: run it again first'),
  })
  const again = await runScript('restore', restore, into)
  expect(again).toMatchObject({
    code: 0,
    told: expect.stringContaining('was not finished. Its half is to be dropped'),
  })
  expect(await contentOf(target.db)).toEqual(await contentOf(source.db))
  expect(await target.db.listCollections({ name: UNFINISHED }).toArray()).toEqual([])
})

it('stops where it is safe when it is interrupted, and keeps no half of a backup', {
  timeout: PATIENCE,
}, async () => {
  const source = await embeddedPlace()
  await fillMany(source.db, ROWS)
  const parent = makeDirectory()
  const { child, ended } = startScript('backup', ['--out', join(parent, 'backup')], {
    env: { MONGO_URI: source.uri },
  })
  await waitFor(async () => expect(await readdir(parent)).not.toEqual([]))
  child.kill('SIGTERM')

  const { code, output, told } = await ended
  expect({ code, output }).toEqual({ code: 130, output: '' })
  expect(told).toContain('Nothing is kept: the same command begins anew.')
  expect(await readdir(parent)).toEqual([])
})
