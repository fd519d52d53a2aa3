import { join } from 'node:path'
import { env } from '../env.js'
import { AppError } from '../errors.js'
import { writeMail } from './file.js'
import { assertSafeHeaders, type Message } from './message.js'
import { sendBySmtp } from './smtp.js'

export type { Message } from './message.js'

/**
 * Sends a message: by SMTP where a server is configured; otherwise, outside production, into a file of the
 * outbox directory, whose link is printed for the developer. Takes seconds where the server is slow: mail is
 * sent from the outbox, never while a client waits.
 *
 * @throws {AppError} `invalid_request` for an address or a subject that is none, `not_configured` in production
 *   without a server; and what the transport says.
 */
export async function sendMail(message: Message): Promise<void> {
  assertSafeHeaders(message)
  const { smtpUrl, mailFrom, production, dataDirectory, logLevel } = env()
  if (smtpUrl) return sendBySmtp(message, { url: smtpUrl, from: mailFrom, requireTls: production })
  if (production) throw new AppError('not_configured', 'No mail server is configured: set SMTP_URL.')

  const path = await writeMail(message, mailFrom, join(dataDirectory, 'outbox'), new Date())
  const [link] = /https?:\/\/\S+/.exec(message.text) ?? []
  if (logLevel === 'info') console.log(link ? `mail to ${path}: ${link}` : `mail to ${path}`)
}
