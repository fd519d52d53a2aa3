import type { Message } from './message.js'

/** The SMTP server of a deployment. */
interface SmtpServer {
  /** `smtp://` or `smtps://`; its query may set nodemailer's options, and wins over what is set here. */
  url: string
  /** The sender, as in a From header. */
  from: string
  /** Refuse a server without STARTTLS rather than send a link that opens an account in the clear. */
  requireTls: boolean
}

/** From the look-up of the name to the greeting and the TLS handshake. */
const CONNECTION_TIMEOUT_MS = 5_000

/** Silence, after that. */
const IDLE_TIMEOUT_MS = 10_000

/** The whole of it: a server that dribbles is never silent. */
const SEND_TIMEOUT_MS = 15_000

/**
 * Hands one message to an SMTP server, over a connection of its own: a function may be suspended before a kept
 * one is used again.
 *
 * @throws what nodemailer says (`code`, `responseCode`) when the server did not accept it in time.
 */
export async function sendBySmtp(
  message: Message,
  { url, from, requireTls }: SmtpServer,
  timeoutMs: number = SEND_TIMEOUT_MS,
): Promise<void> {
  const transport = await transportTo({ url, requireTls })
  const { to, subject, text, html } = message
  await transport.sendMail({
    from,
    to: { name: '', address: to },
    subject,
    text,
    html,
    // No holiday replies to us (RFC 3834, section 5).
    headers: { 'Auto-Submitted': 'auto-generated' },
    signal: AbortSignal.timeout(timeoutMs),
  })
}

/**
 * Connects to an SMTP server, signs in and leaves again, without sending anything.
 *
 * @throws what nodemailer says (`code`, `responseCode`) when the server does not let us in.
 */
export async function greetSmtp({ url, requireTls }: Omit<SmtpServer, 'from'>): Promise<void> {
  const transport = await transportTo({ url, requireTls })
  try {
    await transport.verify()
  } finally {
    transport.close()
  }
}

async function transportTo({ url, requireTls }: Omit<SmtpServer, 'from'>) {
  // Loaded by the first message, not by every function that could send one.
  const { createTransport } = await import('nodemailer')
  return createTransport({
    url,
    requireTLS: requireTls,
    connectionTimeout: CONNECTION_TIMEOUT_MS,
    socketTimeout: IDLE_TIMEOUT_MS,
  })
}
