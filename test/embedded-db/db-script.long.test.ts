import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { MongoClient } from 'mongodb'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { serveDirectory } from '../../scripts/embedded-db/serve-directory.js'
import { makeTestProject } from '../scripts/support/project.js'
import { startScript } from '../scripts/support/run-script.js'
import { run } from './support/child-process.js'
import { dataDirectory } from './support/data-directory.js'

const uriOf = (directory: string) => readFile(join(directory, 'db.uri'), 'utf8')

describe('npm run db', () => {
  it('leaves its URI while it runs, and after a signal nothing but the data', async () => {
    const directory = await dataDirectory()
    // One told by a flag where, the other by the environment.
    const [flagged, inherited] = [directory, await dataDirectory()]
    const children = [
      { at: flagged, signal: 'SIGINT', child: run('scripts/db.ts', ['--port', '0', '--data', flagged]) },
      {
        at: inherited,
        signal: 'SIGTERM',
        child: run('scripts/db.ts', ['--port', '0'], { DATA_DIRECTORY: inherited }),
      },
    ] as const
    for (const { at, signal, child } of children) {
      const [, uri = ''] = await child.said(/^db (mongodb:\/\/127\.0\.0\.1:\d+\/)$/m)
      expect(await uriOf(at)).toBe(uri)
      const client = new MongoClient(uri)
      const rows = client.db('x').collection('y')
      await Promise.all(Array.from({ length: 50 }, (_, n) => rows.insertOne({ n })))
      expect(await child.end(signal)).toBe(0)
      await client.close()
      expect(await readdir(at)).toEqual(['db'])
      expect(await readdir(join(at, 'db'))).toEqual(['journal-0'])

      const second = await serveDirectory({ directory: at })
      const again = new MongoClient(second.uri)
      expect(await again.db('x').collection('y').countDocuments()).toBe(50)
      await again.close()
      await second.close()
    }
  })

  it('keeps its data where `.env` says, as the development server does', async () => {
    const { root } = makeTestProject({ '.env': 'DATA_DIRECTORY=kept' })
    const { child } = startScript('db', ['--port', '0'], { cwd: root, env: {} })
    onTestFinished(() => void child.kill('SIGKILL'))

    await vi.waitFor(() => uriOf(join(root, 'kept')), 20_000)
  })

  it('says in a line what is wrong, and with --help what it is for', async () => {
    const directory = await dataDirectory()
    const running = await serveDirectory({ directory })
    const children = [
      ['--port', '0', '--data', directory],
      ['--port', String(running.port), '--data', join(directory, 'other')],
      ['--nonsense'],
      ['--port', 'x'],
      ['--help'],
    ].map(args => run('scripts/db.ts', args))
    const codes = await Promise.all(children.map(child => child.exited))
    expect(codes).toEqual([1, 1, 1, 1, 0])
    expect(children.map(child => child.output().trim())).toEqual([
      expect.stringMatching(/is in use by process \d+.*choose another directory$/),
      expect.stringMatching(/^port \d+ is taken/),
      expect.stringMatching(/^Unknown option '--nonsense'/),
      '--port x is not a port',
      expect.stringContaining('--data DIR'),
    ])
    await running.close()
  })
})

describe('a served directory', () => {
  it('replaces the URI that a killed process left, and does not take another’s away', async () => {
    const directory = await dataDirectory()
    await writeFile(join(directory, 'db.uri'), 'mongodb://127.0.0.1:1/')
    const served = await serveDirectory({ directory })
    expect(await uriOf(directory)).toBe(served.uri)
    await writeFile(join(directory, 'db.uri'), 'mongodb://127.0.0.1:2/')
    await served.close()
    expect(await uriOf(directory)).toBe('mongodb://127.0.0.1:2/')
  })
})
