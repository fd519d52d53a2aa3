import { serve } from '../../lib/http/serve.js'
import { logoutRoute } from '../auth/logout.js'

export default serve('/api/users/logout', { POST: logoutRoute })
