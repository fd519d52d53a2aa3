import { env } from '../../env.js'
import type { Message } from '../../mail/mail.js'
import { addressTaken, passwordChanged, resetPassword, verifyEmail } from '../../mail/templates.js'
import { enqueueMail, enqueueOnce, type MailKind, sweepMail } from '../mail-outbox.js'
import { countHit } from '../rate-counters.js'
import { REQUEST_LIFE_MS } from '../request-life.js'
import { composeUsageMail } from '../usage/usage-mails.js'
import { findUserByEmail, issueOneTimeToken, nameOf, type User, users } from './users.js'

/** What enqueuing has to know of the request it came with. */
interface MailRequest {
  now: Date
  background(task: Promise<unknown>): void
}

/** How many mails of a kind one address is sent in an hour, whoever asks for them. */
const HOURLY_MAILS = 5

/** How many owed mails a sweep puts into the outbox. */
const OWED_AT_ONCE = 100

/**
 * Puts a mail into the outbox, and sends it after the answer. Beyond the hourly limit of its address nothing is
 * sent and nothing said: nobody's inbox is flooded, and the answer tells nothing about the address.
 */
export async function enqueueAccountMail(kind: MailKind, to: string, request: MailRequest): Promise<void> {
  const { now } = request
  if (!(await mayBeSent(kind, to, now))) return
  await enqueueMail(kind, to, now)
  request.background(sweepAccountMail(now))
}

async function mayBeSent(kind: MailKind, to: string, now: Date): Promise<boolean> {
  const { count } = await countHit(`mail:${kind}`, to, 3_600, now)
  return count <= HOURLY_MAILS * env().rateLimitScale
}

/** Sends the mail that an account owes its owner: for after the answer, since nothing is lost where it fails. */
export async function sendOwedMail(user: User, now: Date): Promise<void> {
  await enqueueOwedMail(user, now)
  await sweepAccountMail(now)
}

/** Sends the mails that are due, those that a crash left owed among them. What is left stays for the next sweep. */
export async function sweepAccountMail(now: Date, shouldStop?: () => boolean): ReturnType<typeof sweepMail> {
  const owing = (await users.open())
    .find({ 'owedMail.since': { $lt: new Date(now.getTime() - REQUEST_LIFE_MS) } })
    .sort({ 'owedMail.since': 1 })
    .limit(OWED_AT_ONCE)
  for (const user of await owing.toArray()) await enqueueOwedMail(user, now)
  return sweepMail(compose, now, undefined, shouldStop)
}

/** Once for each time that it is owed, however often it is found. */
async function enqueueOwedMail({ _id, email, owedMail }: User, now: Date): Promise<void> {
  if (!owedMail) return
  const { kind, since } = owedMail
  const about = `${_id}:${since.getTime()}`
  // Where another mail of its kind is being sent just now, it stays owed until the next sweep.
  if ((await mayBeSent(kind, email, now)) && !(await enqueueOnce(kind, email, about, now))) return
  await (await users.open()).updateOne({ _id, 'owedMail.since': since }, { $unset: { owedMail: '' } })
}

/** Writes a mail at the moment it is sent: only then a link's token comes into being. */
async function compose(kind: MailKind, to: string, now: Date, about?: string): Promise<Message | undefined> {
  switch (kind) {
    case 'verify-email': {
      const issued = await issueOneTimeToken(to, 'verifyEmail', now)
      return issued && { to, ...verifyEmail({ ...nameOf(issued), link: page('verify-email', issued.token) }) }
    }
    case 'reset-password': {
      const issued = await issueOneTimeToken(to, 'resetPassword', now)
      return (
        issued && { to, ...resetPassword({ ...nameOf(issued), link: page('reset-password', issued.token) }) }
      )
    }
    case 'address-taken': {
      const user = await findUserByEmail(to)
      if (!user) return undefined
      const loginLink = user.provesFirst ? {} : { loginLink: env().appUrl }
      return { to, ...addressTaken({ ...nameOf(user), ...loginLink, resetLink: page('forgot-password') }) }
    }
    case 'password-changed': {
      const user = await findUserByEmail(to)
      return user ? { to, ...passwordChanged(nameOf(user)) } : undefined
    }
    case 'usage-warning':
      return composeUsageMail('warning', to, about, now)
    case 'usage-limit':
      return composeUsageMail('limit', to, about, now)
  }
}

/** A token goes into the fragment: it reaches no server, no log and no `Referer`. */
function page(name: string, token?: string): string {
  return `${env().appUrl}/account/${name}.html${token === undefined ? '' : `#token=${token}`}`
}
