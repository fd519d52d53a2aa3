import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { writeMail } from '../../lib/mail/file.js'

const link = `http://127.0.0.1:3000/account/verify-email.html#token=${'a'.repeat(120)}`
const message = {
  to: 'asha@example.com',
  subject: 'Grüße',
  text: `Hello,\n\n${link}\n`,
  html: `<p>${link}</p>\n`,
}
const from = 'Leadline <no-reply@leadline.example>'

let directory: string
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'leadline-mail-'))
})
afterEach(() => rm(directory, { recursive: true, force: true }))

describe('a mail as a file', () => {
  it('is a message with both contents, readable as it is', async () => {
    const path = await writeMail(message, from, directory, new Date('2026-01-02T03:04:05.006Z'))

    const eml = await readFile(path, 'utf8')
    const [head = '', ...parts] = eml.split(/--[0-9a-f]{24}(?:--)?\r\n/)
    expect(head.split('\r\n').slice(0, 4)).toEqual([
      `From: ${from}`,
      'To: asha@example.com',
      'Subject: Grüße',
      'Date: Fri, 02 Jan 2026 03:04:05 +0000',
    ])
    expect(head).toMatch(/multipart\/alternative; boundary=[0-9a-f]{24}\r\n\r\n$/)
    expect(parts).toHaveLength(3)
    expect(parts[0]).toMatch(/^Content-Type: text\/plain.*\r\n.*8bit\r\n\r\nHello,\r\n\r\nhttp/)
    expect(parts[0]).toContain(`\r\n${link}\r\n`)
    expect(parts[1]).toMatch(/^Content-Type: text\/html.*\r\n.*8bit\r\n\r\n<p>/)
    expect(eml).not.toMatch(/[^\r]\n/)
  })

  it('has a name that sorts by time, and leaves nothing half written', async () => {
    for (const second of [9, 10, 11])
      await writeMail(message, from, directory, new Date(`2026-01-02T03:04:${`${second}`.padStart(2, '0')}Z`))

    const names = (await readdir(directory)).sort()
    expect(names.map(name => name.slice(0, 24))).toEqual([
      '2026-01-02T03-04-09.000Z',
      '2026-01-02T03-04-10.000Z',
      '2026-01-02T03-04-11.000Z',
    ])
    expect(names.every(name => name.endsWith('.eml'))).toBe(true)
  })

  it('is a file of its own, though at the same millisecond', async () => {
    const now = new Date()
    const paths = await Promise.all(
      Array.from({ length: 20 }, () => writeMail(message, from, directory, now)),
    )

    expect(new Set(paths).size).toBe(20)
    expect(await readdir(directory)).toHaveLength(20)
  })

  it.skipIf(process.platform === 'win32')('is its owner’s alone, and so is the directory', async () => {
    const outbox = join(directory, 'made', 'outbox')

    const path = await writeMail(message, from, outbox, new Date())

    expect((await stat(path)).mode & 0o777).toBe(0o600)
    expect((await stat(outbox)).mode & 0o777).toBe(0o700)
  })
})
