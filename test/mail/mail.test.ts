import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { Message } from '../../lib/mail/mail.js'
import { startSmtpServer } from './smtp-server.js'

const link = 'http://127.0.0.1:3000/account/verify-email.html#token=abc'
const message: Message = {
  to: 'asha@example.com',
  subject: 'Confirm',
  text: `Hello,\n\nConfirm:\n${link}\n\nOther:\nhttps://other.example\n`,
  html: '<p>Hello,</p>\n',
}

let dataDirectory: string
beforeEach(async () => {
  dataDirectory = await mkdtemp(join(tmpdir(), 'leadline-mail-'))
})
afterEach(() => rm(dataDirectory, { recursive: true, force: true }))

/** The port in a deployment of its own: the environment is read once a process. */
async function mailIn(environment: Record<string, string>) {
  vi.resetModules()
  const deployment = { DATA_DIRECTORY: dataDirectory, RATE_LIMIT_SCALE: '', BCRYPT_COST: '', ...environment }
  for (const [name, value] of Object.entries(deployment)) vi.stubEnv(name, value)
  const { sendMail } = await import('../../lib/mail/mail.js')
  return sendMail
}

const filed = () => readdir(join(dataDirectory, 'outbox')).catch(() => [])

describe('a development machine', () => {
  it('files a mail and prints where, with the first link', async () => {
    const printed = vi.spyOn(console, 'log').mockReturnValue()
    const sendMail = await mailIn({ LOG_LEVEL: 'info' })

    await sendMail(message)

    const [name = ''] = await filed()
    const path = join(dataDirectory, 'outbox', name)
    expect(await readFile(path, 'utf8')).toContain('To: asha@example.com\r\n')
    expect(printed.mock.calls).toEqual([[`mail to ${path}: ${link}`]])
  })

  it('prints nothing where nothing is to be logged', async () => {
    const printed = vi.spyOn(console, 'log').mockReturnValue()
    const sendMail = await mailIn({ LOG_LEVEL: 'error' })

    await sendMail(message)

    expect(await filed()).toHaveLength(1)
    expect(printed).not.toHaveBeenCalled()
  })
})

describe('a deployment with a mail server', () => {
  it('sends by it, from the sender it names, and files nothing', async () => {
    const server = await startSmtpServer()
    const sendMail = await mailIn({
      SMTP_URL: `smtp://127.0.0.1:${server.port}`,
      MAIL_FROM: 'Desk <desk@leadline.example>',
    })

    await sendMail(message)
    await server.close()

    expect(server.received).toMatchObject([{ from: 'desk@leadline.example', to: ['asha@example.com'] }])
    expect(await filed()).toEqual([])
  })

  it('sends nothing in the clear in production', async () => {
    const server = await startSmtpServer()
    const sendMail = await mailIn({ SMTP_URL: `smtp://127.0.0.1:${server.port}`, NODE_ENV: 'production' })

    await expect(sendMail(message)).rejects.toMatchObject({ code: 'ETLS' })
    await server.close()

    expect(server.received).toEqual([])
  })
})

describe('production without a mail server', () => {
  it('says that it is not configured, and writes no link to a disk', async () => {
    const sendMail = await mailIn({ NODE_ENV: 'production' })

    await expect(sendMail(message)).rejects.toMatchObject({ code: 'not_configured' })

    expect(await filed()).toEqual([])
  })
})

describe('what could add a header or a recipient', () => {
  it.each([
    ['to', 'asha@example.com\r\nBcc: eve@evil.example'],
    ['to', 'asha@example.com\nBcc: eve@evil.example'],
    ['to', 'asha@example.com\r'],
    ['to', 'asha@example.com\u2028'],
    ['to', 'asha@example.com,eve@evil.example'],
    ['to', 'asha@example.com;eve@evil.example'],
    ['to', 'asha@example.com eve@evil.example'],
    ['to', 'Asha <asha@example.com>'],
    ['to', 'team: asha@example.com'],
    ['to', '"a b"@example.com'],
    ['to', 'asha'],
    ['to', ''],
    ['subject', 'Confirm\r\nBcc: eve@evil.example'],
    ['subject', 'Confirm\nX: y'],
    ['subject', 'Confirm\rX: y'],
    ['subject', 'Confirm\u0000'],
    ['subject', 'Confirm\u0085'],
    ['subject', 'Confirm\u2029'],
  ])('is refused and not quoted: %s %j', async (field, value) => {
    const sendMail = await mailIn({})

    const refusal = await sendMail({ ...message, [field]: value }).catch((error: unknown) => error)

    expect(refusal).toMatchObject({ code: 'invalid_request', details: [{ path: field }] })
    if (value) expect(String(refusal)).not.toContain(value)
    expect(await filed()).toEqual([])
  })

  it.each(['asha@example.com', "o'neill+tag@sub.example.co.in", '$where@example.com', 'अशा@उदाहरण.भारत'])(
    'is not seen in an ordinary address: %s',
    async to => {
      const sendMail = await mailIn({})

      await sendMail({ ...message, to, subject: 'Grüße & „mehr“ 🎉' })

      expect(await filed()).toHaveLength(1)
    },
  )
})

describe('nodemailer', () => {
  it('is not loaded where no mail goes out by SMTP', async () => {
    const loaded = vi.fn()
    vi.doMock('nodemailer', () => {
      loaded()
      return {}
    })
    const sendMail = await mailIn({})

    await sendMail(message)
    vi.doUnmock('nodemailer')

    expect(loaded).not.toHaveBeenCalled()
  })
})
