import type { Env } from '../../lib/env.js'
import { greetSmtp } from '../../lib/mail/smtp.js'
import { type Check, failure, kindOf, ok, warning, within } from './check.js'

const TIMEOUT_MS = 10_000

/** Asks the services beside the database whether they let us in. Sends nothing and counts nothing. */
export async function checkConnections(current: Env): Promise<Check[]> {
  return (await Promise.all([checkSmtp(current), checkRedis(current)])).flat()
}

async function checkSmtp({ smtpUrl, production }: Env): Promise<Check[]> {
  if (!smtpUrl) return []
  try {
    await within(TIMEOUT_MS, greetSmtp({ url: smtpUrl, requireTls: production }))
    return [ok('SMTP', 'the server lets us in')]
  } catch (error) {
    return [
      failure('SMTP', `the server does not let us in: ${kindOf(error)}`, 'mend SMTP_URL, or the server'),
    ]
  }
}

async function checkRedis({ redisUrl, redisToken }: Env): Promise<Check[]> {
  if (!redisUrl || !redisToken) return []
  const advice = 'mend UPSTASH_REDIS_REST_URL and its token; until then MongoDB counts rate limits'
  try {
    const headers = { authorization: `Bearer ${redisToken}` }
    const signal = AbortSignal.timeout(TIMEOUT_MS)
    const { ok: isOk, status } = await fetch(`${redisUrl.replace(/\/+$/, '')}/ping`, { headers, signal })
    return [isOk ? ok('Redis', 'answers') : warning('Redis', `answers with ${status}`, advice)]
  } catch (error) {
    return [warning('Redis', `does not answer: ${kindOf(error)}`, advice)]
  }
}
