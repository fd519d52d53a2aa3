import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { type DevProcess, spawnDev, startDev, UNUSED_DATABASE } from '../support/dev-process.js'
import { copyRepository, functionSource, makeTestProject } from '../support/project.js'

const fixture = join(import.meta.dirname, '..', 'fixtures', 'functions')
// Most tests start several processes, which takes its time on a busy machine.
vi.setConfig({ testTimeout: 120_000 })
const PATIENTLY = { timeout: 20_000, interval: 20 }

async function startTestDev(root: string, variables?: Record<string, string>): Promise<DevProcess> {
  const dev = await startDev(root, variables)
  onTestFinished(async () => void (await dev.end('SIGKILL')))
  return dev
}

function makeDataDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'leadline-data-'))
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }))
  return directory
}

describe('the start', () => {
  it('prints what is used, never a password, and the ready line last', async () => {
    const { root } = makeTestProject({ 'api/a.ts': functionSource('return new Response()'), 'api/_b.ts': '' })
    const dev = await startTestDev(root, {
      MONGO_URI: 'mongodb://user:hidden@127.0.0.1:1/named?retryWrites=true',
    })
    expect(dev.output()).toMatch(/^1 function in .*$/m)
    expect(dev.output()).toMatch(/^Database: mongodb:\/\/127\.0\.0\.1:1\/named$/m)
    expect(dev.output()).toContain('ADMIN_TOKEN, CRON_SECRET, AUTH_SECRET in ./.data/secrets.json')
    expect(dev.output()).not.toContain('hidden')
    expect(dev.output().trimEnd().split('\n').at(-1)).toBe(`ready ${dev.url}`)
  })

  it.each([
    [
      { MONGO_URI: 'mongodb://a/x', MONGODB_URI: 'mongodb://b/x' },
      {},
      /^MONGO_URI and MONGODB_URI are both set and differ.*\n$/,
    ],
    [UNUSED_DATABASE, { 'vercel.json': '{ "routes": [] }' }, /^vercel\.json: "routes" is not served.*\n$/],
  ])('is refused with a sentence, and no stack', async (variables, files, message) => {
    const { root } = makeTestProject({ 'api/a.ts': '', ...files })
    const refused = spawnDev(root, variables)
    await vi.waitFor(() => expect(refused.child.exitCode).toBe(1), PATIENTLY)
    expect(refused.output()).toMatch(message)
  })

  it('is refused where the port is taken', async () => {
    const { root } = makeTestProject({ 'api/a.ts': '' })
    const other = createServer().listen(0, '127.0.0.1')
    onTestFinished(() => void other.close())
    await vi.waitFor(() => expect(other.listening).toBe(true))
    const { port } = other.address() as AddressInfo
    const refused = spawnDev(root, { ...UNUSED_DATABASE, PORT: String(port) })
    await vi.waitFor(() => expect(refused.child.exitCode).toBe(1), PATIENTLY)
    expect(refused.output()).toContain(`Port ${port} is taken`)
  })
})

describe('the end', () => {
  it.each(['SIGINT', 'SIGTERM'] as const)('by %s loses no answer and no background work', async signal => {
    const data = makeDataDirectory()
    const notes = () => readFileSync(join(data, 'notes'), 'utf8')
    const dev = await startTestDev(fixture, {
      ...UNUSED_DATABASE,
      DATA_DIRECTORY: data,
      NOTES: join(data, 'notes'),
    })
    await fetch(`${dev.url}/api/background`)
    const answer = fetch(`${dev.url}/api/patient`)
    await vi.waitFor(() => expect(notes()).toContain('patient: started'), PATIENTLY)

    const ended = dev.end(signal)
    expect(await (await answer).text()).toBe('done')
    expect(await ended).toEqual({ code: 0, signal: null })
    expect(notes()).toContain('background: finished')
    await expect(fetch(dev.url)).rejects.toThrow()
  })

  it('by SIGKILL takes the functions with it', async () => {
    const dev = await startTestDev(fixture, { ...UNUSED_DATABASE, DATA_DIRECTORY: makeDataDirectory() })
    expect((await fetch(`${dev.url}/api/unread`)).status).toBe(200)
    // The functions' process writes to the same pipe, which closes with its last writer.
    expect(await dev.end('SIGKILL')).toEqual({ code: null, signal: 'SIGKILL' })
  })

  it.runIf(process.platform === 'linux')('comes where npm is killed, and frees the port', async () => {
    const entry = join(import.meta.dirname, '..', '..', '..', 'scripts', 'dev.ts')
    const scripts = { dev: `node --import ${import.meta.resolve('tsx')} ${entry}` }
    const { root } = makeTestProject({
      'api/a.ts': '',
      'package.json': JSON.stringify({ type: 'module', scripts }),
    })
    const npm = spawn('npm', ['run', 'dev'], {
      cwd: root,
      env: { ...process.env, ...UNUSED_DATABASE, PORT: '0' },
    })
    let output = ''
    npm.stdout.on('data', text => {
      output += text
    })
    await vi.waitFor(() => expect(output).toMatch(/^ready /m), PATIENTLY)
    const url = /^ready (.*)$/m.exec(output)?.[1] ?? ''
    expect((await fetch(url)).status).toBe(404)

    npm.kill('SIGKILL')
    await vi.waitFor(() => expect(fetch(url)).rejects.toThrow(), PATIENTLY)
  })
})

describe('the embedded database', () => {
  const lead = {
    phone: '9876543210',
    microsite: 'a.example',
    conversation: [{ id: 'm1', type: 'user', text: 'hi' }],
  }
  const capture = async (url: string) => {
    const headers = { 'content-type': 'application/json' }
    const answer = await fetch(`${url}/api/leads`, { method: 'POST', headers, body: JSON.stringify(lead) })
    return { status: answer.status, id: JSON.parse(await answer.text()).lead?.id }
  }

  it('is found by others, is one for a directory, and keeps what was acknowledged before a SIGKILL', async () => {
    const { root, remove } = copyRepository()
    onTestFinished(remove)
    const data = join(root, '.data')
    const first = await startTestDev(root, {})
    const uri = /^db (mongodb:\/\/127\.0\.0\.1:\d+\/.*)$/m.exec(first.output())?.[1]
    expect(readFileSync(join(data, 'db.uri'), 'utf8').trim()).toBe(uri)
    const captured = await capture(first.url)
    expect(captured.status).toBe(201)

    const refused = spawnDev(root, {})
    await vi.waitFor(() => expect(refused.child.exitCode).toBe(1), PATIENTLY)
    expect(refused.output()).toMatch(/^.* is in use by process \d+: .*\n$/)

    await first.end('SIGKILL')
    const second = await startTestDev(root, {})
    const { ADMIN_TOKEN } = JSON.parse(readFileSync(join(data, 'secrets.json'), 'utf8'))
    const headers = { authorization: `Bearer ${ADMIN_TOKEN}` }
    const listed = JSON.parse(await (await fetch(`${second.url}/api/leads`, { headers })).text())
    expect(listed.items).toMatchObject([{ id: captured.id, conversation: [{ text: 'hi' }] }])
    expect(await capture(second.url)).toEqual(captured)

    expect(await second.end('SIGTERM')).toEqual({ code: 0, signal: null })
    expect(existsSync(join(data, 'db.uri'))).toBe(false)
  })
})

describe('a change', () => {
  const says = (what: string) => functionSource(`return new Response(${what})`)

  it('of a source, a setting or the configuration is served, and refuses nobody meanwhile', async () => {
    const { root, write } = makeTestProject({ 'api/a.ts': says("'first'"), '.env': 'FROM_DOTENV=before' })
    const dev = await startTestDev(root)
    const get = async (path: string) => (await fetch(`${dev.url}${path}`)).text()
    const becomes = (path: string, text: string) =>
      vi.waitFor(async () => expect(await get(path)).toBe(text), PATIENTLY)
    expect(await get('/api/a')).toBe('first')

    let watching = true
    const statuses = new Map<number, number>()
    const client = (async () => {
      while (watching) {
        const { status } = await fetch(`${dev.url}/api/a`)
        statuses.set(status, (statuses.get(status) ?? 0) + 1)
      }
    })()

    write({ 'api/a.ts': says("'second'") })
    await becomes('/api/a', 'second')
    write({
      'lib/deep/word.ts': "export const word = 'library'",
      'api/b/[id].ts': `import { word } from '../../lib/deep/word.js'\n${says('word')}`,
    })
    await becomes('/api/b/1', 'library')
    write({ 'lib/deep/word.ts': "export const word = 'changed'" })
    await becomes('/api/b/1', 'changed')
    write({ 'vercel.json': '{ "rewrites": [{ "source": "/c", "destination": "/api/a" }] }' })
    await becomes('/c', 'second')
    write({ 'api/a.ts': says('process.env.FROM_DOTENV'), '.env': 'FROM_DOTENV=after' })
    await becomes('/api/a', 'after')

    watching = false
    await client
    expect([...statuses.keys()]).toEqual([200])
    expect(statuses.get(200)).toBeGreaterThan(10)
  })

  it('lets the functions before it answer what they have, and then ends them', async () => {
    const slow = (what: string) =>
      functionSource(`await new Promise(resolve => setTimeout(resolve, 1_000))
        return Response.json({ pid: process.pid, version: '${what}' })`)
    const { root, write } = makeTestProject({ 'api/slow.ts': slow('old'), 'api/a.ts': says("'old'") })
    const dev = await startTestDev(root)
    // Imports it: a function is read when it is first asked for.
    await fetch(`${dev.url}/api/slow`)

    const before = fetch(`${dev.url}/api/slow`)
    write({ 'api/a.ts': says("'new'"), 'api/slow.ts': slow('new') })
    await vi.waitFor(
      async () => expect(await (await fetch(`${dev.url}/api/a`)).text()).toBe('new'),
      PATIENTLY,
    )
    const { pid, version } = JSON.parse(await (await before).text())
    expect(version).toBe('old')
    await vi.waitFor(() => expect(() => process.kill(pid, 0)).toThrow('ESRCH'), PATIENTLY)
  })

  it('that breaks something is shown, and ends nothing', async () => {
    const { root, write } = makeTestProject({ 'api/a.ts': says("'fine'"), 'api/b.ts': says("'other'") })
    const dev = await startTestDev(root)
    const get = async (path: string) => {
      const answer = await fetch(`${dev.url}${path}`)
      return `${answer.status} ${await answer.text()}`
    }
    const becomes = (path: string, text: string | RegExp) =>
      vi.waitFor(async () => expect(await get(path)).toMatch(text), PATIENTLY)

    write({ 'api/a.ts': 'export default {' })
    await becomes('/api/a', /^500 [\s\S]*FUNCTION_INVOCATION_FAILED[\s\S]*api\/a\.ts: /)
    expect(dev.output()).toContain('api/a.ts cannot be loaded')
    expect(await get('/api/b')).toBe('200 other')
    write({ 'api/a.ts': says("'mended'") })
    await becomes('/api/a', '200 mended')

    write({ 'vercel.json': '{ "rewrites": ' })
    await becomes('/api/b', /^500 [\s\S]*vercel\.json: /)
    write({ 'vercel.json': '{}' })
    await becomes('/api/b', '200 other')

    write({ '.env': 'RATE_LIMIT_SCALE=never' })
    await becomes('/api/b', /^500 [\s\S]*RATE_LIMIT_SCALE must be a number/)
    write({ '.env': 'DATA_DIRECTORY=elsewhere' })
    await becomes('/api/b', /^500 [\s\S]*restart/)
    write({ '.env': '' })
    await becomes('/api/b', '200 other')
  })
})
