/* log_path.h -- opening what a log is to go to: a file, or a FIFO. */
#ifndef ALB_LOG_PATH_H
#define ALB_LOG_PATH_H

#include <stdbool.h>

/* To append to; made when it is not there. Without waiting for a reader, and without an end when
 * the last one leaves. -1 with errno. */
int log_path_open(const char *path);

/* Could it be opened? Opens and makes nothing that anybody would see. False with errno. */
bool log_path_may_open(const char *path);

#endif
