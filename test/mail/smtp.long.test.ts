import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import type { Message } from '../../lib/mail/message.js'
import { sendBySmtp } from '../../lib/mail/smtp.js'
import { startSmtpServer, type TestSmtpServer } from './smtp-server.js'

const message: Message = {
  to: 'asha@example.com',
  subject: 'Confirm your e-mail address',
  text: `Hello,\n\nhttps://leadline.example/account/verify-email.html#token=${'a'.repeat(120)}\n`,
  html: '<p>Hello,</p>\n',
}
const from = 'Leadline <no-reply@leadline.example>'

const open: { close(): Promise<void> }[] = []
afterEach(async () => {
  for (const server of open.splice(0)) await server.close()
})

async function smtpServer(...options: Parameters<typeof startSmtpServer>): Promise<TestSmtpServer> {
  const server = await startSmtpServer(...options)
  open.push(server)
  return server
}

/** A server that accepts connections and does with them what it is told. */
async function rawServer(onSocket: (socket: Socket) => void): Promise<number> {
  const sockets = new Set<Socket>()
  const server = createServer(socket => {
    sockets.add(socket)
    socket.on('error', () => {})
    onSocket(socket)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  open.push({
    close: () =>
      new Promise(resolve => {
        for (const socket of sockets) socket.destroy()
        server.close(() => resolve())
      }),
  })
  return (server.address() as AddressInfo).port
}

describe('a mail by SMTP', () => {
  it('arrives at its recipient with both contents', async () => {
    const { port, received } = await smtpServer()

    await sendBySmtp(message, { url: `smtp://127.0.0.1:${port}`, from, requireTls: false })

    expect(received).toMatchObject([{ from: 'no-reply@leadline.example', to: ['asha@example.com'] }])
    const content = received[0]?.content
    expect(content).toContain(`From: ${from}\r\n`)
    expect(content).toContain('To: asha@example.com\r\n')
    expect(content).toContain(`Subject: ${message.subject}\r\n`)
    expect(content).toContain('Auto-Submitted: auto-generated\r\n')
    expect(content).toContain(message.text.replaceAll('\n', '\r\n'))
    expect(content).toContain('<p>Hello,</p>')
  })

  it('signs in with what the URL says, and is not sent where that is wrong', async () => {
    const { port, received } = await smtpServer()

    await sendBySmtp(message, { url: `smtp://me:p%40ss@127.0.0.1:${port}`, from, requireTls: false })
    expect(received).toMatchObject([{ user: 'me' }])

    const wrong = sendBySmtp(message, { url: `smtp://me:wrong@127.0.0.1:${port}`, from, requireTls: false })
    await expect(wrong).rejects.toMatchObject({ code: 'EAUTH', responseCode: 535 })
    expect(received).toHaveLength(1)
  })

  it('says why the server refuses it', async () => {
    const { port } = await smtpServer({
      onRcptTo: (_, __, done) => done(Object.assign(new Error('no such mailbox'), { responseCode: 550 })),
    })

    const sent = sendBySmtp(message, { url: `smtp://127.0.0.1:${port}`, from, requireTls: false })

    await expect(sent).rejects.toMatchObject({ code: 'EENVELOPE', responseCode: 550 })
  })
})

describe('encryption', () => {
  it('is used where the server has it', async () => {
    const { port, received } = await smtpServer({ disabledCommands: [] })

    const url = `smtp://127.0.0.1:${port}?tls.rejectUnauthorized=false`
    await sendBySmtp(message, { url, from, requireTls: true })

    expect(received).toMatchObject([{ secure: true }])
  })

  it('is not done without where it is required, unless the URL says so', async () => {
    const { port, received } = await smtpServer()

    const sent = sendBySmtp(message, { url: `smtp://127.0.0.1:${port}`, from, requireTls: true })
    await expect(sent).rejects.toMatchObject({ code: 'ETLS' })
    expect(received).toHaveLength(0)

    await sendBySmtp(message, { url: `smtp://127.0.0.1:${port}?requireTLS=false`, from, requireTls: true })
    expect(received).toMatchObject([{ secure: false }])
  })
})

describe('a server that is not well', () => {
  it('is given up where nobody listens', async () => {
    const server = await startSmtpServer()
    await server.close()

    const sent = sendBySmtp(message, { url: `smtp://127.0.0.1:${server.port}`, from, requireTls: false })

    await expect(sent).rejects.toMatchObject({ code: 'ESOCKET' })
  })

  it('is given up when it accepts the connection and says nothing', async () => {
    const port = await rawServer(() => {})

    const sent = sendBySmtp(message, { url: `smtp://127.0.0.1:${port}`, from, requireTls: false }, 60_000)

    await expect(sent).rejects.toMatchObject({ code: 'ETIMEDOUT', timeoutType: 'GREETING_TIMEOUT' })
  }, 20_000)

  it('is given up when it is never done, though no silence is long enough to time out', async () => {
    let gone: Promise<unknown> | undefined
    const port = await rawServer(socket => {
      socket.write('220 slow\r\n')
      const dribble = setInterval(() => socket.write('250-more\r\n'), 50)
      gone = once(socket, 'close').finally(() => clearInterval(dribble))
      socket.resume()
    })

    const sent = sendBySmtp(message, { url: `smtp://127.0.0.1:${port}`, from, requireTls: false }, 1_000)

    await expect(sent).rejects.toMatchObject({ code: 'EABORT' })
    await gone
  })
})
